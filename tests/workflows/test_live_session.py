"""live as people run it: a film at its own pace, out to a stream that another process reads, or into a recording."""

import socket
import subprocess
import sys

import av
import numpy as np
import pytest

READ = """
import sys, av
with av.open(sys.argv[1], options={"timeout": "60000000"}) as stream:
    for number, frame in enumerate(stream.decode(video=0)):
        luma = frame.to_ndarray(format="gray")
        print(frame.width, frame.height, int((luma > 220).mean() * 100), flush=True)
        if number == 20:
            break
"""


def live(*arguments):
    return [sys.executable, "-m", "streamtoon", "live", "--no-preview", *map(str, arguments)]


@pytest.fixture
def port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_a_stream_is_read_back_by_another_process(port):
    url = f"udp://127.0.0.1:{port}"
    reader = subprocess.Popen([sys.executable, "-c", READ, url], stdout=subprocess.PIPE, text=True)
    writer = subprocess.Popen(
        live("--source", "portrait:400@640x360", "--sink", url), stderr=subprocess.PIPE, text=True
    )
    try:
        said, _ = reader.communicate(timeout=90)
    finally:
        writer.terminate()
        writer.wait(30)
    rows = [tuple(map(int, line.split())) for line in said.splitlines()]
    assert len(rows) == 21, writer.stderr.read()
    assert {row[:2] for row in rows} == {(640, 360)}
    assert min(row[2] for row in rows) > 40  # mostly paper: the card, or the drawing on paper; the portrait is not


def test_a_recording_keeps_what_left(tmp_path):
    out = tmp_path / "out.mp4"
    run = subprocess.run(
        live("--source", "portrait:60@320x180", "--sink", out, "--background", "#ffe0c0"),
        capture_output=True, text=True, check=False, timeout=90,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "new pictures" in run.stdout
    with av.open(str(out)) as film:
        pictures = [f.to_ndarray(format="rgb24") for f in film.decode(video=0)]
    assert len(pictures) > 5
    for picture in pictures:
        assert np.abs(picture[5:30, 5:60].reshape(-1, 3).mean(axis=0) - (255, 224, 192)).max() < 12


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["--source", "webcam:"], 2, "nothing to send to"),
        (["--source", "missing.mp4", "--sink", "a.mp4"], 2, "missing.mp4"),
        (["--source", "portrait:5@64x64", "--sink", "a.mp4", "--background", "nope.jpg"], 2, "is no picture"),
        (["--source", "ftp://host/film.mp4", "--sink", "a.mp4"], 2, "an address begins with one of rtsp://"),
        (["--source", "portrait:5@64x64", "--sink", "a.mp4", "--fps", "0"], 2, "from 1 to 240"),
        (["--source", "portrait:5@64x64", "--sink", "a.mp4", "--size", "big"], 2, "write 1280x720"),
        (["--sorce", "portrait:"], 2, "unrecognized arguments: --sorce"),
        (["--source", "portrait:5@64x64", "--sink", "udp://nowhere"], 2, "write udp://"),
        (["--source", "portrait:5@64x64", "--sink", "nofolder/a.mp4"], 2, "nofolder"),
    ],
)
def test_a_bad_call_is_one_line(refused, arguments, code, line):
    ended, said = refused("live", "--no-preview", *arguments)
    assert ended == code
    assert line in said
