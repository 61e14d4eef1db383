"""The command as people run it: exit codes, one line for an error, nothing left behind."""

import signal
import subprocess
import sys
import time

import av
import pytest

from streamtoon.cli.main import main
from streamtoon.workflows import demo


def streamtoon(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "streamtoon", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert all(name in out for name in ("convert", "demo", "bench", "models"))


def test_convert_draws_a_film(moved_film, tmp_path):
    run = streamtoon("convert", "-i", moved_film, "-o", tmp_path / "out.mp4")
    assert run.returncode == 0, run.stderr
    assert "24 frames, " in run.stdout
    assert " faces, 0 frames without a face" in run.stdout
    assert "openvino" in run.stdout
    with av.open(str(moved_film)) as a, av.open(str(tmp_path / "out.mp4")) as b:
        times = [[f.pts * f.time_base for f in c.decode(video=0)] for c in (a, b)]
    assert times[0] == times[1]


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["-i", "missing.mp4", "-o", "out.mp4"], 2, "missing.mp4"),
        (["-i", "FILM", "-o", "out.mp4", "--style", "nope"], 2, "no style 'nope'"),
        (["-i", "FILM", "-o", "out.mp4", "--engine", "warp"], 2, "no engine is called 'warp'"),
        (["-i", "FILM", "-o", "nowhere/out.mp4"], 2, "nowhere"),
        (["-i", "FILM", "-o", "out.mp4", "--private", "--compare"], 2, "ask for it or for privacy"),
        (["-i", "FILM", "-o", "FILM"], 2, "portrait.mp4"),
    ],
)
def test_a_bad_call_is_one_line(moved_film, refused, arguments, code, line):
    ended, said = refused("convert", *(str(moved_film) if a == "FILM" else a for a in arguments))
    assert ended == code
    assert said.startswith("error: ")
    assert line in said


def test_the_command_ends_with_its_exit_code(tmp_path):
    run = streamtoon("convert", "-i", "missing.mp4", "-o", "out.mp4", cwd=tmp_path)
    assert run.returncode == 2
    assert run.stderr.startswith("error: ")
    assert run.stderr.count("\n") == 1


def test_a_style_whose_network_is_broken_leaves_nothing(moved_film, tmp_path, style_folder):
    folder = style_folder()
    run = streamtoon("convert", "-i", moved_film, "-o", tmp_path / "out.mp4", "--style", folder)
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
    assert "plain.onnx is not an ONNX network" in run.stderr
    assert {p.name for p in tmp_path.iterdir()} == {"plain"}


def test_debug_shows_the_traceback(tmp_path):
    run = streamtoon("convert", "-i", "missing.mp4", "-o", "out.mp4", "--debug", cwd=tmp_path)
    assert run.returncode == 1
    assert "Traceback" in run.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_in_the_middle_it_leaves_nothing(tmp_path, number, code):
    run = subprocess.Popen(
        [sys.executable, "-m", "streamtoon", "convert", "-i", "portrait:100000@640x360", "-o", "out.mp4"],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not list(tmp_path.iterdir()) and run.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.5)
    assert list(tmp_path.iterdir()), run.stderr.read() if run.poll() is not None else "nothing was written"
    run.send_signal(number)
    _, said = run.communicate(timeout=60)
    assert run.returncode == code
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


SWALLOWED = """
import os, signal, sys, time
from streamtoon.cli import doctor, main
number, how = signal.Signals[sys.argv[1]], sys.argv[2]
class Dropped:
    def __del__(self):  # what is raised in here is lost
        os.kill(os.getpid(), number)
        time.sleep(0.01)
def wait(args):
    Dropped()
    time.sleep(20)
    return 0
def cut_off(args):
    try:
        os.kill(os.getpid(), number)
        time.sleep(0.01)
    except BaseException:
        raise ImportError("cannot import name 'x'")
doctor.run = {"wait": wait, "cut_off": cut_off}[how]
sys.argv[1:] = ["doctor"]
main.run()
"""


@pytest.mark.parametrize("how", ["wait", "cut_off"])
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_stop_that_python_drops_or_a_library_rewords_is_still_a_stop(name, code, how):
    command = [sys.executable, "-c", SWALLOWED, name, how]
    run = subprocess.run(command, capture_output=True, text=True, timeout=15, check=False)
    assert run.returncode == code, run.stderr


def test_private_never_shows_a_faceless_frame(tmp_path):
    import numpy as np

    film, out = tmp_path / "wall.mp4", tmp_path / "out.mp4"
    with av.open(str(film), "w") as c:
        stream = c.add_stream("libx264", rate=25, options={"crf": "0"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for _ in range(5):
            frame = av.VideoFrame.from_ndarray(np.full((240, 320, 3), (40, 90, 160), np.uint8), format="rgb24")
            c.mux(stream.encode(frame))
        c.mux(stream.encode())
    run = streamtoon("convert", "-i", film, "-o", out, "--private")
    assert run.returncode == 0, run.stderr
    assert "5 shown as a card" in run.stdout
    with av.open(str(out)) as c:
        for frame in c.decode(video=0):
            assert np.median(frame.to_ndarray(format="rgb24"), axis=(0, 1)).min() > 220  # paper, not the wall


def test_models_are_listed(capsys):
    assert main(["models", "fetch"]) == 0
    assert capsys.readouterr().out.count("ready ") == 3


def test_demo(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(demo, "CLIP_FRAMES", 24)
    monkeypatch.setattr(demo, "CLIP_SIZE", (640, 360))
    assert main(["demo", "-o", str(tmp_path / "d")]) == 0
    out = capsys.readouterr().out
    assert "openvino" in out
    assert {p.name for p in (tmp_path / "d").iterdir()} == {"drawn.mp4", "before-after.png"}
    with av.open(str(tmp_path / "d" / "drawn.mp4")) as c:
        assert sum(1 for _ in c.decode(video=0)) == 24
    assert (tmp_path / "d" / "before-after.png").stat().st_size > 100_000
