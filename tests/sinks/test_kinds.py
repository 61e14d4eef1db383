"""Which module takes a target; a source and a sink of another install, used from the command line."""

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from streamtoon import sinks, sources
from streamtoon.errors import SourceError, UsageError

ROOT = Path(__file__).parent.parent.parent
SOURCE = """
from fractions import Fraction
import numpy as np
from streamtoon.sources import Frames
from streamtoon.types import Frame

def open(target, *, threads):
    shade = int(target.partition(":")[2] or 90)
    planes = np.full((48, 64), shade, np.uint8), np.full((24, 32), 128, np.uint8), np.full((24, 32), 128, np.uint8)
    return Frames((Frame(planes, "yuv420p", i, Fraction(i, 20)) for i in range(10)), Fraction(20))
"""
SINK = """
from contextlib import contextmanager
from pathlib import Path

class Log:
    notices = ["this sink counts"]

    def __init__(self, target, options):
        self.file, self.options = Path(target.partition(":")[2]), options

    def __enter__(self):
        self.sent = []
        return self.sent.append

    def __exit__(self, *_):
        states = " ".join(sorted({drawn.state for drawn in self.sent}))
        self.file.write_text(f"{self.options.size} {self.options.fps:g} {len(self.sent) > 0} {states}")

def open_live(target, options):
    return Log(target, options)
"""


@pytest.fixture
def other_install(tmp_path):
    """Environment of a process that finds a package with a source and a sink."""
    folder = tmp_path / "site"
    info = folder / "mymedia-0.dist-info"
    info.mkdir(parents=True)
    (folder / "mymedia_source.py").write_text(SOURCE)
    (folder / "mymedia_sink.py").write_text(SINK)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mymedia\nVersion: 0\n")
    (info / "entry_points.txt").write_text(
        "[streamtoon.sources]\nmysource = mymedia_source\n[streamtoon.sinks]\nmysink = mymedia_sink\n"
    )
    return {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"}


def streamtoon(env, *arguments):
    run = subprocess.run(
        [sys.executable, "-m", "streamtoon", *map(str, arguments)], env=env, capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return run


def test_convert_from_a_source_of_another_install(other_install, tmp_path):
    out = tmp_path / "out.mkv"
    streamtoon(other_install, "convert", "-i", "mysource:130", "-o", out, "--engine", "echo", "--encoder", "ffv1")
    with sources.open(str(out)) as film:
        frames = list(film.frames())
        assert film.rate == 20
    assert [f.seconds for f in frames] == [Fraction(i, 20) for i in range(10)]
    assert {int(f.planes[0].mean()) for f in frames} == {130}


def test_live_from_a_source_into_a_sink_of_another_install(other_install, tmp_path):
    sent = tmp_path / "sent.txt"
    run = streamtoon(
        other_install, "live", "--source", "mysource:", "--sink", f"mysink:{sent}", "--no-preview", "--engine", "echo"
    )
    assert sent.read_text() == "(64, 48) 30 True card"  # there is no face in it
    assert "notice: this sink counts" in run.stderr


@pytest.mark.parametrize(
    ("target", "roles", "name"),
    [
        ("webcam:", ["open_live", "open"], "webcam"),
        ("webcam:", ["open"], "film"),  # a camera has no end
        ("portrait:3@64x48", ["open_live", "open"], "portrait"),
        ("rtsp://host/x.png", ["open_live", "open"], "network"),
        ("rtsp://host/x.png", ["open"], "film"),
        ("a.png", ["open"], "images"),
        ("folder/", ["open"], "images"),
        ("a.mp4", ["open"], "film"),
        ("images:a.mp4", ["open"], "film"),  # a kind that takes names is not called by its own
        ("nobody:x", ["open"], "film"),
        ("film", ["open"], "film"),
    ],
)
def test_which_source_takes_a_target(target, roles, name):
    assert sources.KINDS.find(target, *roles).__name__ == f"streamtoon.sources.{name}"


@pytest.mark.parametrize(
    ("target", "role", "name"),
    [
        ("memory:", "open", "memory"),
        ("memory:", "open_live", "film"),
        ("out", "open", "images"),
        ("out.png", "open", "images"),
        ("out/", "open_live", "film"),
        ("out.mp4", "open", "film"),
        ("out.mp4", "open_live", "film"),
        ("virtualcam:/dev/video9", "open_live", "virtualcam"),
        ("udp://127.0.0.1:5000", "open_live", "stream"),
        ("window:", "open_preview", "window"),
    ],
)
def test_which_sink_takes_a_target(target, role, name):
    assert sinks.KINDS.find(target, role).__name__ == f"streamtoon.sinks.{name}"


def test_what_is_a_preview():
    assert [t for t in ("window:", "virtualcam:", "out.mp4", "udp://a:1") if sinks.is_preview(t)] == ["window:"]


def test_every_module_of_the_folders_is_a_kind():
    for package, roles in ((sources, ("open", "open_live")), (sinks, ("open", "open_live", "open_preview"))):
        for name in package.KINDS._registry.own_names():
            module = package.KINDS._registry.load(name)
            assert any(hasattr(module, role) for role in roles), module


def test_a_source_without_a_picture_is_closed_and_refused(monkeypatch):
    closed = []

    class Empty(sources.Frames):
        def __exit__(self, *_):
            closed.append(True)

    class Kind:
        @staticmethod
        def open(_target, **_):
            return Empty(iter(()))

    monkeypatch.setattr(type(sources.KINDS), "find", lambda *_: Kind)
    with pytest.raises(SourceError, match="cannot read x: it holds no picture; give another source"):
        sources.open_live("x")
    assert closed == [True]


def test_a_target_nobody_takes_is_a_film_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        sources.open(f"{tmp_path}/nobody:x")
    with pytest.raises(UsageError, match="choose one of"):
        sinks.open_live(f"{tmp_path}/nobody.xyz", sinks.LiveOptions((64, 48), 30))
