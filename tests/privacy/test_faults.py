"""Fault injection: whatever goes wrong from the camera to the sink, no picture that leaves shows the camera's face."""

import contextlib
import itertools
import signal
import socket
import subprocess
import sys
import threading
import time

import av
import numpy as np
import pytest
from calls import (
    CLIP,
    FPS,
    SIZE,
    SMALL,
    Ink,
    Recorder,
    check,
    paced,
    run,
    shows_the_camera,
    states,
    subsequence,
)
from engine_faults import GOOD_CALLS, always_raises, nan, raises, wrong_shape, zeros

from engines import MAX_BATCH
from engines.switching import SwitchingEngine
from streamtoon import style_folder as styles
from streamtoon.image.letterbox import CALLS, letterbox
from streamtoon.pipeline.toon import Toon
from streamtoon.privacy.guard import Guard
from streamtoon.privacy.output_gate import OutputGate
from streamtoon.sources import portrait as portrait_source
from streamtoon.types import Frame
from streamtoon.workflows.live import Live


def test_the_check_sees_the_camera():
    """The test's own eye: an undrawn frame is recognised, a drawn one is not."""
    assert all(shows_the_camera(Guard(private=False)(f, None, 0).planes[0]) for f in CLIP[:30] + SMALL)


def echoes(count, drawn):
    return np.concatenate([255 - drawn[..., :3], drawn[..., 3:]], axis=3) if count > GOOD_CALLS else drawn


def transparent(count, drawn):
    return np.concatenate([drawn[..., :3], np.zeros_like(drawn[..., 3:])], axis=3) if count > GOOD_CALLS else drawn


@pytest.mark.parametrize("background", ["paper", "keep", "blur"])
@pytest.mark.parametrize("fault", [raises, always_raises, nan, wrong_shape, zeros, echoes, transparent])
def test_an_engine_that_fails(style, fault, background):
    pictures, live = run(style, paced(CLIP[:45]), Ink(fault), background=background)
    check(pictures)
    assert pictures[-1].state in {"held", "drawn", "card"}
    if fault is always_raises:
        assert states(pictures) == ["card"]
        assert live.said == ["drawing fails, the card is shown: out of memory"]


def test_an_engine_that_stalls(style):
    def stall(count, drawn):
        if count == 15:
            time.sleep(1.2)
        return drawn

    pictures, live = run(style, paced(CLIP[:75]), Ink(stall))
    check(pictures)
    assert subsequence(
        ["card", "drawn", "card", "drawn"], states(pictures)
    )  # repeated, then the card, then drawn again
    assert live.dropped > 5


def test_a_detector_that_raises(style, monkeypatch):
    from streamtoon.pipeline.find import Finder

    real, calls = Finder.__call__, itertools.count()

    def find(self, *args):
        if next(calls) > 20:
            raise RuntimeError("detector")
        return real(self, *args)

    monkeypatch.setattr(Finder, "__call__", find)
    pictures, live = run(style, paced(CLIP[:60]))
    check(pictures)
    assert subsequence(["card", "drawn", "card"], states(pictures))
    assert live.said == ["drawing fails, the card is shown: detector"]


def test_a_detector_that_misses_every_third_frame(style, monkeypatch):
    from streamtoon.pipeline.find import Finder

    real, calls = Finder.__call__, itertools.count()
    monkeypatch.setattr(Finder, "__call__", lambda self, *a: real(self, *a) if next(calls) % 3 else [])
    pictures, _ = run(style, paced(CLIP[:60]), background="keep")
    check(pictures)
    assert subsequence(["card", "drawn"], states(pictures))


def sees(level):
    """A matte that is ``level`` in every head."""

    class Sees:
        def begin(self, _frame):
            pass

        def on_crops(self, _picture, _frame_width, crops):
            return [np.full(c.image.shape[:2], level, np.uint8) for c in crops]

        def close(self):
            pass

    return Sees


@pytest.mark.parametrize("background", ["paper", "keep", "blur"])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_whatever_the_matte_sees_a_face_that_was_found_is_drawn(style_folder, monkeypatch, level, background):
    monkeypatch.setattr("streamtoon.pipeline.matte.PersonMatte", sees(level))
    style = styles.load(str(style_folder(matte="model")))
    pictures, _ = run(style, paced(CLIP[:20]), Ink(), background=background)
    check(pictures)
    assert "drawn" in states(pictures)


def test_a_matte_that_raises(style_folder, monkeypatch):
    monkeypatch.setattr("streamtoon.pipeline.matte.PersonMatte", sees("nothing"))  # numpy refuses such a level
    pictures, live = run(styles.load(str(style_folder(matte="model"))), paced(CLIP[:15]), Ink())
    assert states(pictures) == ["card"]
    assert live.said[0].startswith("drawing fails, the card is shown: invalid literal")


def test_nobody_there(style):
    walls = [Frame(tuple(np.full_like(p, 90) for p in f.planes), f.layout, f.index, f.seconds, f.colour) for f in CLIP]
    pictures, _ = run(style, paced(CLIP[:20] + walls[20:60]))
    check(pictures)
    assert subsequence(["card", "drawn", "card"], states(pictures))
    assert not any(abs(float(np.median(p.planes[0])) - 90) < 20 for p in pictures)  # the empty room stays private too


def test_a_camera_that_dies(style):
    def dies():
        yield from paced(CLIP[:20])
        raise OSError("unplugged")

    recorder = Recorder()
    toon = Toon(style, Ink(), private=True)
    live = Live(dies(), toon, OutputGate(CLIP[0], style.paper), [recorder], fps=FPS)
    with pytest.raises(OSError, match="unplugged"):
        live.run()
    check([d for _, d in recorder.sent])


def test_a_camera_that_freezes(style):
    def freezes():
        yield from paced(CLIP[:20])
        time.sleep(1.5)

    pictures, _ = run(style, freezes())
    check(pictures)
    assert subsequence(["card", "drawn", "card"], states(pictures))


@pytest.mark.parametrize("background", ["paper", "keep", "blur"])
def test_a_camera_that_changes_size(style, background):
    pictures, _ = run(style, paced(CLIP[:20] + SMALL), background=background)
    check(pictures)
    assert {p.width for p in pictures} == {480, 320}


BACKGROUNDS = ["paper", "keep", "blur"]


def test_switching_the_style_while_it_runs(style):
    first, second = Ink(), Ink()
    new = Toon(style, second, private=True)

    def switch(live):
        time.sleep(1)
        live.switch(new)

    pictures, _ = run(style, paced(CLIP), first, during=switch)
    check(pictures)
    assert subsequence(["card", "drawn"], states(pictures))
    assert second.count > 10
    assert first.closed
    assert second.closed


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_switching_to_a_style_that_fails(style, background):
    bad = Ink(lambda count, drawn: (zeros if count % 2 else echoes)(count + GOOD_CALLS, drawn))
    new = Toon(style, bad, private=True, background=background)

    def switch(live):
        time.sleep(1)
        live.switch(new)

    pictures, _ = run(style, paced(CLIP), during=switch, background=background)
    check(pictures)
    assert bad.count > 5
    assert pictures[-1].state != "drawn"


@pytest.mark.parametrize("fault", [lambda _count, drawn: drawn, always_raises, echoes, zeros])
def test_an_engine_that_takes_over_while_it_draws(style, fault):
    """As live's "auto" does it; the new engine is compared first, and passes: it goes wrong after that."""
    ready, good, new = threading.Event(), Ink(), Ink()

    def better(_closed):
        ready.wait(10)
        return new

    engine = SwitchingEngine(good, better)

    def take_over(_live):
        time.sleep(0.5)
        ready.set()
        while new.count < MAX_BATCH + 3:
            time.sleep(0.01)
        new.fault = fault

    pictures, _ = run(style, paced(CLIP), engine, during=take_over, background="keep")
    check(pictures)
    assert new.count > MAX_BATCH + 3  # it has really drawn
    assert good.closed
    assert new.closed


def test_a_process_that_is_stopped(tmp_path):
    """SIGTERM while it sends: every picture of the stream and of the recording is looked at."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        url = f"udp://127.0.0.1:{one.getsockname()[1]}"
    tape, read = tmp_path / "tape.mp4", []

    def listen():
        with contextlib.suppress(av.FFmpegError), av.open(url, timeout=(60, 3)) as stream:
            read.extend(f.to_ndarray(format="gray") for f in stream.decode(video=0))

    listener = threading.Thread(target=listen)
    listener.start()
    command = [sys.executable, "-m", "streamtoon", "live", "--no-preview", "--engine", "openvino"]
    source = ["--source", f"portrait:900@{SIZE[0]}x{SIZE[1]}", "--background", "keep"]
    call = subprocess.Popen([*command, *source, "--sink", url, "--sink", str(tape)])
    deadline = time.monotonic() + 90
    while len(read) < 40 and time.monotonic() < deadline:
        time.sleep(0.05)
    call.terminate()
    assert call.wait(30) == 128 + signal.SIGTERM
    listener.join(30)
    with av.open(str(tape)) as kept:
        recorded = [f.to_ndarray(format="gray") for f in kept.decode(video=0)]
    camera = list(portrait_source.read(f"portrait:240@{SIZE[0]}x{SIZE[1]}"))
    assert shows_the_camera(letterbox(camera[9], SIZE, CALLS)[0], camera)  # as the stream would show it
    for pictures in (read, recorded):
        assert len(pictures) >= 40
        assert not any(shows_the_camera(p, camera) for p in pictures)
