"""The swap in a live loop: no picture is raw, repeated or skipped by it; what fails is told.

Scripted engines; the loop around them is the real one.
"""

import logging
import re
import threading
import time

import numpy as np
import pytest
from calls import CLIP, Ink, check, paced, run

import engines.runtimes.openvino
import engines.runtimes.tensorrt
from engines import EngineError
from engines.switching import SwitchingEngine
from streamtoon import style_folder as styles
from streamtoon.workflows import engine_choice as engine_of

CROPS = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)


class Better(Ink):
    """As the first engine, a little lighter: who drew a picture can be seen."""

    name, device = "better", "gpu"

    def __call__(self, crops):
        drawn = super().__call__(crops)
        drawn[..., :3] = np.minimum(drawn[..., :3].astype(int) + 1, 255)
        return drawn


def waiting(check_it, seconds=10):
    end = time.monotonic() + seconds
    while not check_it() and time.monotonic() < end:
        time.sleep(0.01)
    assert check_it()


@pytest.fixture
def said(caplog):
    """What the engines log, a text a line, as it comes."""
    lines = []

    class Kept(logging.Handler):
        def emit(self, record):
            lines.append(record.getMessage())

    log, kept = logging.getLogger("engines"), Kept()
    caplog.set_level(logging.INFO, "engines")
    log.addHandler(kept)
    yield lines
    log.removeHandler(kept)


def test_it_changes_between_two_calls(said):
    first, better = Ink(), Better()
    swap = SwitchingEngine(first, lambda _: better)
    drawn = [swap(CROPS)]
    waiting(lambda: swap._ready)
    assert swap.name == "ink"
    drawn.append(swap(CROPS))
    assert (swap.name, swap.device) == ("better", "gpu")
    assert np.array_equal(drawn[0][..., :3], 255 - CROPS)
    assert np.array_equal(drawn[1][..., :3], np.minimum(256 - CROPS.astype(int), 255))
    assert first.count == 1
    assert said == ["ink draws, on none; looking for a faster engine", "better draws from now on, on gpu"]
    swap.close()
    assert first.closed
    assert better.closed


def test_every_batch_size_is_set_up_before_it_draws(said):
    sizes = []

    class Watched(Better):
        def __call__(self, crops):
            sizes.append((len(crops), threading.current_thread().name))
            return super().__call__(crops)

    swap = SwitchingEngine(Ink(), lambda _: Watched())
    swap(CROPS)
    waiting(lambda: swap._ready)
    assert [n for n, _ in sizes[:8]] == list(range(1, 9))
    assert {name for _, name in sizes} == {"better engine"}
    swap.close()


def test_each_shape_of_pictures_changes_by_itself(said):
    """A plan of another shape is compiled while the first engine draws; shapes not seen for long are forgotten."""
    made = []

    def better(_cancel):
        made.append(Better())
        return made[-1]

    swap = SwitchingEngine(Ink(), better)
    shapes = [CROPS[:, : 8 * n] for n in (4, 3, 2, 1)]
    for number, some in enumerate(shapes):
        swap(some)
        assert swap.name == "ink"
        waiting(lambda n=number: len(made) == n + 1 and shapes[n].shape[1:3] in swap._ready)
        swap(some)
        assert swap.name == "better"
    assert made[0].closed
    assert not any(one.closed for one in made[1:])
    swap(shapes[0])
    assert swap.name == "ink"
    waiting(lambda: len(made) == 5 and shapes[0].shape[1:3] in swap._ready)
    swap.close()
    assert all(one.closed for one in made)


def none_there(_cancel):
    raise EngineError("no NVIDIA driver found")


def bug(_cancel):
    raise RuntimeError("a fault of ours")


@pytest.mark.parametrize(("load", "why"), [(none_there, "no NVIDIA driver found"), (bug, "a fault of ours")])
def test_a_failing_build_leaves_the_first_engine(said, load, why):
    swap = SwitchingEngine(Ink(), load)
    waiting(lambda: len(said) == 2)
    assert said[1] == f"ink stays: {why}"
    assert np.array_equal(swap(CROPS)[..., :3], 255 - CROPS)
    assert swap.name == "ink"
    swap.close()


def other_picture(_count, drawn):
    return np.full_like(drawn, 90)


def wrong_shape(_count, drawn):
    return drawn[:, :8]


def raises(_count, _drawn):
    raise EngineError("out of GPU memory")


@pytest.mark.parametrize(
    ("fault", "why"),
    [(other_picture, "dB from ink's, not 35"), (wrong_shape, "it gave uint8"), (raises, "out of GPU memory")],
)
def test_a_better_engine_that_does_not_draw_the_same_is_refused(said, fault, why):
    better = Ink(fault)
    swap = SwitchingEngine(Ink(), lambda _: better)
    swap(CROPS)
    waiting(lambda: len(said) == 2)
    assert said[1].startswith("ink stays: ink is refused: ")
    assert why in said[1]
    assert better.closed
    assert np.array_equal(swap(CROPS)[..., :3], 255 - CROPS)
    swap.close()


def test_one_that_fails_later_hands_the_same_picture_back(said):
    def later(count, drawn):
        if count > 12:
            raise EngineError("the GPU is gone")
        return drawn

    better = Ink(later)
    swap = SwitchingEngine(Ink(), lambda _: better)
    swap(CROPS)
    waiting(lambda: swap._ready)
    for _ in range(8):
        assert np.array_equal(swap(CROPS)[..., :3], 255 - CROPS)
    assert better.closed
    assert "the GPU is gone" in said[-1]
    swap.close()


def test_closing_cancels_a_build_and_closes_what_it_made(said):
    better, cancelled = Better(), threading.Event()

    def load(cancel):
        assert cancel.wait(10)
        cancelled.set()
        return better

    swap = SwitchingEngine(Ink(), load)
    swap.close()
    assert cancelled.is_set()
    waiting(lambda: better.closed)
    assert len(said) == 1


def test_closing_does_not_wait_for_a_build_that_cannot_be_cancelled(said, monkeypatch):
    monkeypatch.setattr("engines.switching.CANCEL_GRACE_S", 0.05)
    better, go = Better(), threading.Event()

    def load(_cancel):
        go.wait(10)
        return better

    swap = SwitchingEngine(Ink(), load)
    swap.close()
    assert not better.closed
    go.set()
    waiting(lambda: better.closed)


def test_a_live_picture_is_never_raw_repeated_or_skipped_by_it(style_folder, said):
    style = styles.load(str(style_folder()))
    drawn = []

    class Counting:
        """Which engine drew each call, whatever engine it is."""

        def __init__(self, inner):
            self.inner = inner

        def __call__(self, crops):
            out = self.inner(crops)
            drawn.append(int((out[..., :3].astype(int) - (255 - crops.astype(int))).max()))
            return out

        name = property(lambda self: self.inner.name)
        device = property(lambda self: self.inner.device)

        def close(self):
            self.inner.close()

    def load(_cancel):
        time.sleep(0.8)
        return Better()

    swap = SwitchingEngine(Ink(), load)
    pictures, live = run(style, paced(CLIP), Counting(swap))
    check(pictures)
    assert set(drawn) == {0, 1}
    assert drawn == sorted(drawn)  # once, from the one to the other, with a drawing for every call
    order = [p.index for p in pictures if p.state == "drawn"]
    assert order == sorted(order)
    assert live.said == []
    assert live.new + live.dropped == len(CLIP)  # a busy machine drops frames, and nothing else is lost


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (None, ""),
        (other_picture, r"its drawing is \d+\.\d dB from openvino's, not 35"),
        (wrong_shape, r"it gave uint8 \(2, 8, 256, 4\) for pictures \(2, 256, 256, 3\)"),
        (raises, "out of GPU memory"),
    ],
)
def test_a_film_takes_no_engine_that_fails_or_draws_something_else(said, monkeypatch, fault, why):
    """As a card that TensorRT loads a plan on and cannot draw on: "auto" goes on, and says why."""
    style = styles.load("engraving")
    real = engines.runtimes.openvino.load(style.onnx, threads=2)

    class Gpu(Ink):
        name, device = "tensorrt", "a card"

        def __call__(self, crops):
            drawn = real(crops)
            return drawn if self.fault is None else self.fault(1, drawn)

    gpu = Gpu(fault)
    monkeypatch.setattr(engines.runtimes.tensorrt, "load", lambda *_a, **_k: gpu)
    engine = engine_of.load("auto", style, threads=1)
    assert (engine is gpu) == (fault is None)
    assert gpu.closed == (fault is not None)
    assert engine.name == ("openvino" if fault else "tensorrt")
    if fault:
        assert re.search(f" / not tensorrt: it is refused: {why}", said[-1])
    engine.close()
    assert engine_of.load("tensorrt", style, threads=1) is gpu  # who asks for it by name gets it, whatever it does
    real.close()


def test_live_starts_on_the_cpu_and_films_do_not_swap(said):
    style = styles.load("engraving")
    live = engine_of.live("auto", style, threads=1)
    assert live.name == "openvino"
    assert said[0].startswith("openvino draws, on ")
    live.close()
    named = engine_of.live("openvino:f32", style, threads=1)
    assert not isinstance(named, SwitchingEngine)
    named.close()
