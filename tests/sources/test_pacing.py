"""Frames at their own rate, on a clock that the test moves."""

import threading
from fractions import Fraction

import numpy as np
import pytest

from streamtoon.sources.pacing import play_in_real_time
from streamtoon.types import Frame


class Clock:
    def __init__(self):
        self.now = 1000.0
        self.waits = []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.waits.append(round(seconds, 6))
        self.now += seconds


def film(count=4, start=Fraction(7, 2), step=Fraction(1, 25)):
    for index in range(count):
        yield Frame((np.zeros((2, 2, 3), np.uint8),), "rgb24", index, start + index * step)


def test_each_comes_when_it_is_due():
    clock = Clock()
    came = [(f.index, f.seconds, clock.now) for f in play_in_real_time(film(), clock=clock, sleep=clock.sleep)]
    assert [i for i, _, _ in came] == [0, 1, 2, 3]
    assert [s for _, s, _ in came] == [1000 + Fraction(i, 25) for i in range(4)]  # exact, on the clock
    assert [t for _, _, t in came] == pytest.approx([1000, 1000.04, 1000.08, 1000.12])


def test_a_late_one_comes_at_once_and_none_is_left_out():
    clock = Clock()
    frames = play_in_real_time(film(8), clock=clock, sleep=clock.sleep)
    next(frames)
    clock.now += 0.13  # the consumer was busy: the next three are late
    late = [next(frames) for _ in range(3)]
    assert clock.waits == []
    assert [f.index for f in late] == [1, 2, 3]
    assert [clock.now - float(f.seconds) for f in late] == pytest.approx([0.09, 0.05, 0.01])
    next(frames)
    assert clock.waits == [pytest.approx(0.03)]  # and then it is in time again


def test_rate():
    clock = Clock()
    assert [
        float(f.seconds) - 1000 for f in play_in_real_time(film(), clock=clock, sleep=clock.sleep, rate=2.0)
    ] == pytest.approx([0, 0.02, 0.04, 0.06])
    with pytest.raises(ValueError, match="rate is 0"):
        play_in_real_time(film(), rate=0)


def test_stop_ends_it_out_of_a_wait_and_closes_the_film():
    stop, closed = threading.Event(), []

    def long():
        try:
            yield from film(2, step=Fraction(3600))
        finally:
            closed.append(True)

    frames = play_in_real_time(long(), stop)
    next(frames)
    threading.Timer(0.1, stop.set).start()
    assert next(frames, None) is None
    assert closed == [True]
