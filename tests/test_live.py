"""Fault injection: whatever goes wrong, no picture that leaves shows the camera's face.

Frames are the moving portrait; the picture sent is compared with the camera's own over the face. The engine is
scripted; sources, detectors, guard, flow and senders are the real ones.
"""

import itertools
import threading
import time
from fractions import Fraction

import cv2
import numpy as np
import pytest

from streamtoon import sinks, styles
from streamtoon.guard import Safe
from streamtoon.live import Live
from streamtoon.sources import portrait as source
from streamtoon.toon import Toon
from streamtoon.types import Frame

SIZE = (480, 270)
FPS = 30
CLIP = list(source.read(f"portrait:90@{SIZE[0]}x{SIZE[1]}"))


class Ink:
    """Draws every crop as its negative, over everything; ``fault(count, drawn)`` may spoil it."""

    name, device = "ink", "none"

    def __init__(self, fault=lambda _count, drawn: drawn):
        self.fault = fault
        self.count = 0
        self.closed = False

    def __call__(self, crops):
        self.count += 1
        alpha = np.full((*crops.shape[:3], 1), 255, np.uint8)
        return self.fault(self.count, np.concatenate([255 - crops, alpha], axis=3))

    def close(self):
        self.closed = True


class Recorder:
    """A sink that keeps what left, and when."""

    def __init__(self):
        self.sent = []

    def __enter__(self):
        def send(drawn):
            sinks.check(drawn)
            self.sent.append((time.monotonic(), drawn))

        return send

    def __exit__(self, *_):
        pass


def paced(frames, fps=FPS):
    start = time.monotonic()
    for i, frame in enumerate(frames):
        time.sleep(max(0, start + i / fps - time.monotonic()))
        yield Frame(frame.planes, frame.layout, i, Fraction(i, FPS), frame.colour)


@pytest.fixture
def style(style_folder):
    return styles.load(str(style_folder()))


def run(style, frames, engine=None, toon=None, during=None, **options):
    """Run live over ``frames``; what left, and the loop."""
    recorder, said = Recorder(), []
    toon = toon or Toon(style, engine or Ink(), private=True, **options)
    live = Live(iter(frames), toon, Safe(CLIP[0], style.paper), [recorder], fps=FPS, say=said.append)
    if during is not None:
        threading.Thread(target=during, args=(live,), daemon=True).start()
    live.run()
    live.said = said
    return [drawn for _, drawn in recorder.sent], live


FACE = np.s_[80:140, 210:270]  # of the picture: forehead to mouth, whatever the sway


def shows_the_camera(drawn):
    """Whether the middle of the picture is like any of the camera's own, over the face."""
    if drawn.planes[0].shape != CLIP[0].planes[0].shape:
        return False
    part = drawn.planes[0][FACE].astype(int)
    return min(np.abs(part - f.planes[0][FACE]).mean() for f in CLIP) < 12


def check(pictures):
    assert pictures
    assert not any(shows_the_camera(p) for p in pictures)
    assert {p.state for p in pictures} <= {"drawn", "held", "card"}


def states(pictures):
    return [state for state, _ in itertools.groupby(p.state for p in pictures)]


def subsequence(wanted, found):
    """Whether ``wanted`` happened in this order. A busy machine may show the card in between: that is safe as well."""
    rest = iter(found)
    return all(state in rest for state in wanted)


def test_the_check_sees_the_camera():
    """The test's own eye: an undrawn frame is recognised, a drawn one is not."""
    from streamtoon.guard import Guard

    assert all(shows_the_camera(Guard(private=False)(f, None, 0)) for f in CLIP[:30])


def test_all_well(style):
    pictures, live = run(style, paced(CLIP[:60]))
    check(pictures)
    assert states(pictures)[:2] == ["card", "drawn"]
    assert live.new > 5
    assert len(live.latencies) > 5
    assert live.said == []


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
    from streamtoon.find import Finder

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
    from streamtoon.find import Finder

    real, calls = Finder.__call__, itertools.count()
    monkeypatch.setattr(Finder, "__call__", lambda self, *a: real(self, *a) if next(calls) % 3 else [])
    pictures, _ = run(style, paced(CLIP[:60]), background="keep")
    check(pictures[1:])
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
    live = Live(dies(), toon, Safe(CLIP[0], style.paper), [recorder], fps=FPS)
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


def test_a_camera_that_changes_size(style):
    small = list(source.read("portrait:20@320x180"))
    pictures, _ = run(style, paced(CLIP[:20] + small))
    check(pictures)
    assert {p.width for p in pictures} == {480, 320}


def test_a_second_person_walks_in(style, portrait):
    def scene(people):
        image = np.full((270, 480, 3), 130, np.uint8)
        for i in range(people):
            image[30:230, 20 + 240 * i : 220 + 240 * i] = cv2.resize(portrait, (200, 200), interpolation=cv2.INTER_AREA)
        from streamtoon.blend import from_rgb

        planes = tuple(np.ascontiguousarray(p) for p in from_rgb(image, "yuv420p", CLIP[0].colour))
        return Frame(planes, "yuv420p", 0, Fraction(0), CLIP[0].colour)

    one, two = scene(1), scene(2)
    for chosen in ("all", "largest"):
        pictures, _ = run(style, paced([one] * 20 + [two] * 25), faces=chosen)
        second = np.s_[50:110, 300:390]
        camera = two.planes[0][second].astype(int)
        assert min(np.abs(p.planes[0][second].astype(int) - camera).mean() for p in pictures) > 12
        last = pictures[-1]
        assert last.faces == (2 if chosen == "all" else 1)


def test_faces_not_chosen_are_covered_on_a_kept_background(style, portrait, still):
    image = np.full((512, 1024, 3), 130, np.uint8)
    image[:, :512] = portrait
    image[100:412, 600:912] = cv2.resize(portrait, (312, 312))
    with Toon(style, Ink(), private=True, background="keep", faces="largest") as toon:
        drawn = toon(still(image))
    small = np.s_[150:200, 720:760]
    assert drawn.faces == 1
    assert drawn.planes[0][small].min() > 250  # paper


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


def test_pausing_shows_the_card(style):
    def pause(live):
        time.sleep(0.8)
        live._safe.paused = True

    pictures, _ = run(style, paced(CLIP[:50]), during=pause)
    check(pictures)
    assert subsequence(["card", "drawn", "card"], states(pictures))


def test_a_sink_that_fails_ends_the_loop(style):
    class Full(Recorder):
        def __enter__(self):
            def send(_drawn):
                raise OSError("disk full")

            return send

    live = Live(paced(CLIP), Toon(style, Ink(), private=True), Safe(CLIP[0], style.paper), [Full()], fps=FPS)
    with pytest.raises(OSError, match="disk full"):
        live.run()


def test_stop_ends_it_soon(style):
    def stop(live):
        time.sleep(0.5)
        live.stop()

    began = time.monotonic()
    run(style, paced(itertools.cycle(CLIP)), during=stop)
    assert time.monotonic() - began < 10


def test_the_order_is_kept(style):
    pictures, _ = run(style, paced(CLIP[:60]))
    order = [p.index for p in pictures if p.state == "drawn"]
    assert order == sorted(order)


def test_safe_takes_nothing_else(style):
    safe = Safe(CLIP[0], style.paper)
    with pytest.raises(TypeError, match="only a Drawn"):
        safe.put(CLIP[0])
