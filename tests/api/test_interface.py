"""``import streamtoon``: what it gives, what it raises, and that it stays quiet."""

import inspect
import subprocess
import sys
import tomllib
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

import streamtoon

ROOT = Path(__file__).parent.parent.parent


def test_importing_it_imports_nothing_heavy_and_gives_every_name():
    code = (
        "import sys, streamtoon; heavy = {'numpy', 'cv2', 'av', 'PIL', 'engines'} & set(sys.modules); "
        "names = [getattr(streamtoon, name) for name in streamtoon.__all__]; import streamtoon.cli.main; "
        "print(heavy, set(streamtoon.__all__) <= set(dir(streamtoon)), callable(streamtoon.styles))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["set()", "True", "True"]


def test_what_is_logged_is_for_those_who_ask():
    code = (
        "import logging, engines, streamtoon\n"
        "for name in ('engines.switching', 'streamtoon.workflows.live'): logging.getLogger(name).warning('asked')\n"
        "logging.basicConfig(format='%(message)s')\n"
        "logging.getLogger('streamtoon.api').warning('heard')"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stderr == "heard\n"


def test_every_name_is_documented_and_no_other_is_there():
    assert all(inspect.getdoc(getattr(streamtoon, name)) for name in streamtoon.__all__)
    with pytest.raises(AttributeError, match="no attribute 'paint'"):
        streamtoon.paint  # noqa: B018


def test_every_package_is_typed():
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mypy"]["packages"]
    assert len(packages) == 5
    assert all((ROOT / name / "py.typed").is_file() for name in packages)


def test_styles_are_names_that_draw_takes():
    assert streamtoon.styles() == ["comic", "engraving", "line", "wash"]


def test_a_photo_is_drawn_and_nothing_is_printed(portrait, capfd):
    before = portrait.copy()
    drawn = streamtoon.draw(portrait, engine="openvino")
    assert drawn.dtype == np.uint8
    assert drawn.shape == portrait.shape
    assert np.array_equal(portrait, before)
    head = np.s_[60:260, 160:300]
    assert np.abs(drawn[head].astype(int) - portrait[head]).mean() > 4
    assert np.abs(drawn[:40, :40].astype(int) - portrait[:40, :40]).mean() > 2  # the flag as well
    assert capfd.readouterr().out == ""


def test_a_file_a_pillow_image_and_an_array_are_one(portrait, tmp_path):
    Image.fromarray(portrait).save(tmp_path / "portrait.png")
    options = {"engine": "echo", "background": "paper", "threads": 1}
    drawn = [
        streamtoon.draw(picture, "wash", **options)
        for picture in (portrait, Image.fromarray(portrait), tmp_path / "portrait.png", str(tmp_path / "portrait.png"))
    ]
    assert all(np.array_equal(one, drawn[0]) for one in drawn)
    behind = np.full((8, 8, 3), (200, 30, 30), np.uint8)
    assert (streamtoon.draw(portrait, engine="echo", background=behind)[0, 0] == behind[0, 0]).all()


@pytest.mark.parametrize(
    ("picture", "options", "error", "words"),
    [
        ("missing.jpg", {}, streamtoon.UsageError, "no picture 'missing.jpg'"),
        (__file__, {}, streamtoon.SourceError, "it is no picture"),
        (np.zeros((8, 8), np.uint8), {}, streamtoon.UsageError, r"uint8 \(8, 8\); it must be uint8 \(h, w, 3\), RGB"),
        (np.zeros((8, 8, 3)), {}, streamtoon.UsageError, "is float64"),
        (None, {"style": "nope"}, streamtoon.UsageError, "no style 'nope'"),
        (None, {"engine": "warp"}, streamtoon.UsageError, "no engine is called 'warp'"),
        (None, {"region": "nose"}, streamtoon.UsageError, "it must be one of face, head, person, frame"),
        (None, {"background": "sea"}, streamtoon.UsageError, "it must be one of keep, paper, blur, draw"),
    ],
)
def test_what_is_wrong_is_raised(portrait, picture, options, error, words):
    with pytest.raises(error, match=words) as caught:
        streamtoon.draw(portrait if picture is None else picture, **options)
    assert isinstance(caught.value, streamtoon.StreamtoonError)


def test_a_film_is_converted_and_progress_is_told(tmp_path, capfd):
    told = []
    out = tmp_path / "out.mp4"
    summary = streamtoon.convert("portrait:40@320x180", out, engine="echo", threads=1, progress=told.append)
    assert (summary.frames, summary.faceless) == (40, 0)
    assert summary.faces >= 40
    assert all(isinstance(one, streamtoon.Progress) and 0 < one.frames <= 40 and one.fps > 0 for one in told)
    with av.open(str(out)) as film:
        assert sum(1 for _ in film.decode(video=0)) == 40
    assert capfd.readouterr().out == ""
    with pytest.raises(streamtoon.UsageError, match=r"out\.mp4"):
        streamtoon.convert("portrait:4@320x180", out, engine="echo")


def test_what_progress_raises_ends_the_work_and_leaves_nothing(tmp_path):
    def enough(_progress):
        raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        streamtoon.convert("portrait:100000@320x180", tmp_path / "out.mp4", engine="echo", progress=enough)
    assert list(tmp_path.iterdir()) == []


def test_a_toon_is_made_by_name_and_draws_frame_by_frame(moved):
    with streamtoon.make_toon("engraving", engine="echo", threads=1, workload="live", private=True) as toon:
        states = [toon(frame).state for frame in moved]
    assert isinstance(toon, streamtoon.Toon)
    assert len(states) == len(moved)
    assert "passthrough" not in states
