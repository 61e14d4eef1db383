"""Frames at their own rate: a film plays as if it came from a camera, so that live can run on a clip."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from itertools import chain
from types import TracebackType
from typing import Final, Self

from streamtoon.contracts import Source
from streamtoon.errors import SourceError
from streamtoon.types import Frame

TICKS_PER_S: Final = 1_000_000_000  # of the clock's Fraction


def play_in_real_time(
    frames: Iterator[Frame],
    stop: threading.Event | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] | None = None,
    *,
    rate: float = 1.0,
) -> Iterator[Frame]:
    """Yield ``frames`` when they are due: the first at once, the others as far behind it as their ``seconds`` are.

    A frame that is late, because decoding or the consumer was, comes at once: nothing is waited for or left out.
    What is yielded has its ``seconds`` on ``clock``: when it was due, so ``clock() - seconds`` is how old it is.

    stop   ends it, out of a wait too
    clock  seconds that never go back
    sleep  waits so many seconds; ``stop.wait`` where nothing else is given
    rate   2.0 plays twice as fast

    Raises ValueError for a rate that is not above 0. ``frames`` is closed in the end.
    """
    if not rate > 0:
        raise ValueError(f"rate is {rate}; it must be above 0")
    return _paced(frames, stop or threading.Event(), clock, sleep, Fraction(rate))


def _paced(
    frames: Iterator[Frame],
    stop: threading.Event,
    clock: Callable[[], float],
    sleep: Callable[[float], object] | None,
    rate: Fraction,
) -> Iterator[Frame]:
    wait = sleep or stop.wait
    start: Fraction | None = None  # what the clock showed when the film's own clock was at zero
    try:
        for frame in frames:
            due = frame.seconds / rate
            if start is None:
                start = to_fraction(clock()) - due
            due += start
            ahead = float(due) - clock()
            if ahead > 0 and not stop.is_set():
                wait(ahead)
            if stop.is_set():
                return
            yield replace(frame, seconds=due)
    finally:
        close = getattr(frames, "close", None)
        if close is not None:
            close()


def to_fraction(seconds: float) -> Fraction:
    """What a clock shows, as the Fraction a Frame holds: whole nanoseconds."""
    return Fraction(round(seconds * TICKS_PER_S), TICKS_PER_S)


class PacedSource:
    """A source played at its own rate: its first frame is read when it is made, the others when they are due.

    Raises SourceError where there is not one frame; then ``source`` is closed.
    """

    def __init__(self, source: Source, target: str, stop: threading.Event, clock: Callable[[], float]) -> None:
        self._source, self._stop, self._clock = source, stop, clock
        with ExitStack() as opened:
            opened.enter_context(source)
            read = source.frames()
            first = next(read, None)
            if first is None:
                raise SourceError(f"cannot read {target}: it holds no picture; give another source")
            self._opened = opened.pop_all()
        self._frames = chain([first], read)
        self.size = (first.width, first.height)
        self.notices = source.notices

    @property
    def rate(self) -> Fraction | None:
        """About how many frames a second there are."""
        return self._source.rate

    @property
    def count(self) -> int | None:
        """About how many frames there are."""
        return self._source.count

    @property
    def damage(self) -> str | None:
        """What could not be read, once ``frames`` has ended."""
        return self._source.damage

    def frames(self) -> Iterator[Frame]:
        """Each frame when it is due, until ``stop``."""
        return play_in_real_time(self._frames, self._stop, self._clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()
