"""convert leaves nothing half-done: bad calls, interruptions, full disks; damaged films; constant memory."""

import resource
import subprocess
import sys
from pathlib import Path

import films
import numpy as np
import pytest
from films import run
from PIL import Image

from streamtoon.errors import SourceError, UsageError
from streamtoon.workflows.convert import Options, convert

PYTHONPATH = f"{Path(__file__).parent.parent}:{Path(__file__).parent.parent.parent}"


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        ("missing.mp4 -> out.mp4", UsageError, "No such file"),
        ("text.mp4 -> out.mp4", SourceError, "no film"),
        ("a.mp4 -> a.mp4", UsageError, "it is the film that is read"),
        ("a.mp4 -> ./a.mp4", UsageError, "it is the film that is read"),
        ("a.mp4 -> text.mp4", UsageError, "--overwrite"),
        ("a.mp4 -> nowhere/out.mp4", UsageError, "there is no folder"),
        ("a.mp4 -> out.png", UsageError, "give a folder"),
        ("a.mp4 -> out.xyz", UsageError, "choose one of"),
        ("a.png -> out.mp4", UsageError, "one picture is no film"),
    ],
)
def test_a_bad_call_is_refused_before_a_toon_is_made(tmp_path, monkeypatch, call, error, words):
    monkeypatch.chdir(tmp_path)
    films.film(Path("a.mp4"))
    Path("text.mp4").write_text("hello", encoding="utf-8")
    Image.new("RGB", (4, 4)).save("a.png")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(error, match=words) as caught:
        convert(Options(*call.split(" -> ")), lambda: pytest.fail("a toon was made"))
    assert "\n" not in str(caught.value)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, RuntimeError])
@pytest.mark.parametrize("target", ["out.mp4", "out.mkv", "frames/"])
def test_stopped_in_the_middle_it_leaves_nothing(tmp_path, target, stop):
    source = films.film(tmp_path / "a.mp4", range(100), sound=["aac"], second=target == "out.mkv")

    def toon(frame):
        if frame.index == 80:
            raise stop
        return films.keep(frame)

    with pytest.raises(stop):
        run(source, f"{tmp_path}/{target}", toon)
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_a_toon_that_cannot_be_made_leaves_nothing(tmp_path):
    source = films.film(tmp_path / "a.mp4")

    def make():
        raise UsageError("no such style")

    with pytest.raises(UsageError, match="style"):
        convert(Options(str(source), str(tmp_path / "out.mp4")), make)
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


FULL = """
import sys
import films
from streamtoon.workflows.convert import Options, convert
from streamtoon.errors import SinkError
try:
    convert(Options(sys.argv[1], sys.argv[2]), lambda: films.keep)
except SinkError as error:
    print(error)
    sys.exit(7)
"""


@pytest.mark.parametrize("target", ["out.mp4", "out.mkv", "frames"])
@pytest.mark.parametrize("room", [0, 100, 0.98])
def test_a_full_disk_leaves_nothing(tmp_path, target, room):
    source = films.film(tmp_path / "a.mp4", range(50), size=(160, 120), sound=["aac"])
    if room == 0.98:  # only the end does not fit
        run(source, tmp_path / target)
        whole = tmp_path / target
        size = whole.stat().st_size if whole.is_file() else max(p.stat().st_size for p in whole.iterdir())
        room = int(size * room)
        whole.unlink() if whole.is_file() else [p.unlink() for p in whole.iterdir()] and whole.rmdir()
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(source), str(tmp_path / target)], capture_output=True, text=True, check=False,
        env={"PYTHONPATH": PYTHONPATH, "PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
    )  # fmt: skip
    assert done.returncode == 7, done.stderr
    assert done.stderr == ""
    assert done.stdout.startswith(f"cannot write {tmp_path / target}: File too large; ")
    assert done.stdout.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_a_damaged_film_is_converted_as_far_as_it_can_be_read(tmp_path):
    source = films.film(tmp_path / "a.mkv", range(50), size=(160, 120), options={"qp": "4", "g": "10"}, sound=["flac"])
    whole = bytearray(source.read_bytes())
    rng = np.random.default_rng(5)
    for place in rng.integers(len(whole) // 4, len(whole), 40):
        whole[place] ^= 1 << int(rng.integers(8))
    flipped = tmp_path / "flipped.mkv"
    flipped.write_bytes(whole)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(source.read_bytes()[: len(whole) // 2])
    for path, words in ((flipped, "did not decode"), (cut, "it breaks off")):
        summary = run(path, tmp_path / f"out-{path.name}")
        assert words in summary.damaged
        assert 10 <= summary.frames <= 50
        assert len(films.times(tmp_path / f"out-{path.name}")) == summary.frames


def test_memory_does_not_grow_with_the_film(tmp_path):
    code = (
        "import sys, resource, films; from streamtoon.workflows.convert import Options, convert; "
        "convert(Options(sys.argv[1], sys.argv[2]), lambda: films.keep); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    peaks = []
    for n in (60, 600):
        source = films.film(tmp_path / f"{n}.mp4", range(n), size=(320, 240), options={"crf": "30"}, sound=["aac"])
        done = subprocess.run(
            [sys.executable, "-c", code, str(source), str(tmp_path / f"out{n}.mp4")], capture_output=True, text=True,
            check=True, env={"PYTHONPATH": PYTHONPATH},
        )  # fmt: skip
        peaks.append(int(done.stdout))
    frame = 320 * 240 * 1.5 / 1024
    assert peaks[1] - peaks[0] < 60 * frame  # kB; 540 more frames would be nine times that
