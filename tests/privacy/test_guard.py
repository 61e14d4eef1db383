"""What may leave. First the guard's own rules, then fault injection: whatever goes wrong on the way from the camera to
the sink, no picture that leaves shows the camera's face; every one of them is looked at.
"""

import contextlib
import itertools
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
from calls import (
    CLIP,
    FPS,
    SIZE,
    SMALL,
    Ink,
    People,
    Recorder,
    check,
    paced,
    run,
    shows_the_camera,
    states,
    subsequence,
)

from engines import MAX_BATCH
from engines.switching import SwitchingEngine
from streamtoon.image.letterbox import CALLS, letterbox
from streamtoon.image.planes import to_rgb
from streamtoon.pipeline.toon import Toon
from streamtoon.privacy.guard import Guard
from streamtoon.privacy.output_gate import OutputGate
from streamtoon.privacy.policy import HOLD_SECONDS
from streamtoon.sources import portrait as portrait_source
from streamtoon.types import Frame
from streamtoon.workflows.live import Live


def frame(index, value=200):
    return Frame((np.full((90, 160, 3), value, np.uint8),), "rgb24", index, Fraction(index, 30))


def drawn(value=10):
    return (np.full((90, 160, 3), value, np.uint8),)


def test_a_film_keeps_frames_without_a_face():
    guard = Guard(private=False)
    out = guard(frame(0), None, 0)
    assert out.state == "passthrough"
    assert np.array_equal(out.planes[0], frame(0).planes[0])


def test_private_never_lets_a_frame_through():
    guard = Guard(private=True)
    states = []
    for i in range(60):
        out = guard(frame(i), drawn() if 10 <= i < 20 else None, 1)
        states.append(out.state)
        assert (out.planes[0] == 200).mean() < 0.01
        assert (out.index, out.seconds) == (i, Fraction(i, 30))
    held = int(HOLD_SECONDS * 30)
    assert states == ["card"] * 10 + ["drawn"] * 10 + ["held"] * held + ["card"] * (40 - held)


def test_a_held_picture_of_another_size_is_not_shown():
    guard = Guard(private=True)
    guard(frame(0), drawn(), 1)
    smaller = Frame((np.full((48, 64, 3), 200, np.uint8),), "rgb24", 1, Fraction(1, 30))
    assert guard(smaller, None, 0).state == "card"


def test_time_running_back_does_not_hold_for_ever():
    guard = Guard(private=True)
    guard(frame(300), drawn(), 1)
    assert guard(frame(5), None, 0).state == "card"


@pytest.mark.parametrize("shape", [(2, 2), (17, 9), (720, 1280)])
def test_the_card_is_paper_with_a_drawing_on_it(shape, moved):
    guard = Guard(private=True, paper=(250, 245, 240))
    one = replace(
        moved[0],
        planes=tuple(np.zeros(s, np.uint8) for s in (shape, *[((shape[0] + 1) // 2, (shape[1] + 1) // 2)] * 2)),
    )
    out = guard(one, None, 0)
    rgb = to_rgb(out.planes, out.layout, out.colour)
    assert np.abs(np.median(rgb, axis=(0, 1)) - (250, 245, 240)).max() <= 3
    if shape[0] > 100:
        assert rgb.std() > 2


def test_the_check_sees_the_camera():
    """The test's own eye: an undrawn frame is recognised, a drawn one is not."""
    assert all(shows_the_camera(Guard(private=False)(f, None, 0).planes[0]) for f in CLIP[:30] + SMALL)


def raises(count, drawn):
    if count % 3 == 0:
        raise RuntimeError("out of memory")
    return drawn


def always_raises(_count, _drawn):
    raise RuntimeError("out of memory")


def nan(count, drawn):
    return np.full(drawn.shape, np.nan, np.float32) if count > 10 else drawn


def wrong_shape(count, drawn):
    return drawn[:, :64] if count > 10 else drawn


def zeros(count, drawn):
    return np.zeros_like(drawn) if count > 10 else drawn


def echoes(count, drawn):
    return np.concatenate([255 - drawn[..., :3], drawn[..., 3:]], axis=3) if count > 10 else drawn


def transparent(count, drawn):
    return np.concatenate([drawn[..., :3], np.zeros_like(drawn[..., 3:])], axis=3) if count > 10 else drawn


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


def check_people(pictures, scenes):
    """As ``check``, for every face of every scene that was before the camera."""
    assert pictures
    for scene in scenes:
        assert not any(scene.shown(p) for p in pictures)
    assert {p.state for p in pictures} <= {"drawn", "held", "card"}


def film(scenes):
    return paced([s.frame for s in scenes])


def test_the_check_sees_people():
    scene = People([(20, 30, 200), (260, 30, 200), (-90, 30, 200)])
    assert scene.shown(Guard(private=False)(scene.frame, None, 0)) == [0, 1, 2]


@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize("chosen", ["all", "largest"])
def test_a_second_person_walks_in(style, chosen, background):
    one, two = People([(20, 30, 200)]), People([(20, 30, 200), (260, 30, 190)])
    # before the detectors have looked, a kept room shows who has just come into it: that is what keep means
    late = 3 if background == "keep" else 0
    pictures, _ = run(style, film([one] * 20 + [two] * 25), faces=chosen, background=background)
    check_people([p for p in pictures if not 20 <= p.index < 20 + late], [one, two])
    assert pictures[-1].faces == (2 if chosen == "all" else 1)


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_faces_beyond_the_batch(style, background):
    crowd = People([(20 + 195 * (i % 5), 10 + 195 * (i // 5), 190) for i in range(MAX_BATCH + 2)], (1000, 400))
    pictures, _ = run(style, film([crowd] * 30), blank=crowd.frame, background=background)
    check_people(pictures, [crowd])
    assert pictures[-1].faces == MAX_BATCH


@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize("chosen", ["largest", "centre"])
def test_faces_that_are_not_chosen(style, chosen, background):
    three = People([(10, 60, 150), (150, 10, 200), (330, 60, 150)])
    pictures, _ = run(style, film([three] * 30), faces=chosen, background=background)
    check_people(pictures, [three])
    assert pictures[-1].faces == 1
    if background == "keep":  # covered with paper, the wall beside them stays
        luma = pictures[-1].planes[0]
        assert luma[84:100, 70:80].min() > 225
        assert abs(int(luma[260, 5]) - int(three.frame.planes[0][260, 5])) <= 2


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_faces_that_are_too_small(style, background, monkeypatch):
    # the detectors do not find what is really too small
    monkeypatch.setattr("streamtoon.privacy.policy.MIN_FACE_PX", 50)
    two = People([(20, 20, 240), (320, 60, 150)])
    pictures, _ = run(style, film([two] * 30), background=background)
    check_people(pictures, [two])
    assert pictures[-1].faces == 1


@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize("company", [False, True])
def test_somebody_leaves_half_way(style, company, background):
    stays = [(250, 30, 200)] if company else []
    way = [People([(x, 30, 200), *stays]) for x in (*range(20, -100, -4), *[-100] * 30)]
    pictures, _ = run(style, film(way), background=background)
    check_people(pictures, way)


def test_switching_the_style_while_it_runs(style):
    first, second = Ink(), Ink()

    def switch(live):
        time.sleep(1)
        live.switch(Toon(style, second, private=True))

    pictures, _ = run(style, paced(CLIP), first, during=switch)
    check(pictures)
    assert subsequence(["card", "drawn"], states(pictures))
    assert second.count > 10
    assert first.closed
    assert second.closed


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_switching_to_a_style_that_fails(style, background):
    bad = Ink(lambda count, drawn: zeros(count + 10, drawn) if count % 2 else echoes(count + 10, drawn))

    def switch(live):
        time.sleep(1)
        live.switch(Toon(style, bad, private=True, background=background))

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

    engine = SwitchingEngine(good, better, lambda _: None)

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


def test_safe_takes_nothing_else(style):
    safe = OutputGate(CLIP[0], style.paper)
    with pytest.raises(TypeError, match="only a Drawn"):
        safe.put(CLIP[0])
