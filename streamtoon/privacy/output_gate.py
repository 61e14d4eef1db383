"""What leaves now, in live: the newest picture while it is fresh, the card otherwise."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from streamtoon.privacy.guard import sealed_card
from streamtoon.privacy.policy import HOLD_SECONDS
from streamtoon.types import Colour, Frame, OutputFrame


class OutputGate:
    """Gives senders the picture that may leave now. Thread-safe: one thread puts, any number of senders take.

    A stalled camera, detector or engine puts nothing: then the last picture is held for HOLD_SECONDS of the clock,
    and the card follows. Until the first picture there is the card.
    """

    def __init__(self, blank: Frame, paper: tuple[int, int, int], clock: Callable[[], float] = time.monotonic) -> None:
        """``blank``: a frame of the size and layout of the card; ``paper``: its RGB; ``clock``: seconds."""
        self._card = sealed_card(blank, paper)
        self._clock = clock
        self._newest: OutputFrame | None = None
        self._put_at = 0.0
        self._count = 0
        self._fresh = threading.Condition()
        self.paused = False  # the card, until it is unset

    def put(self, drawn: OutputFrame) -> None:
        """Offer a picture that the guard has passed. Raises TypeError for anything else."""
        if not isinstance(drawn, OutputFrame):
            raise TypeError(f"only an OutputFrame may leave, which guard makes; this is a {type(drawn).__name__}")
        with self._fresh:
            self._newest, self._put_at = drawn, self._clock()
            self._count += 1
            self._fresh.notify_all()

    def take(self, seen: int, seconds: float) -> tuple[int, OutputFrame]:
        """The number and the picture to send, waiting at most ``seconds`` for one newer than number ``seen``."""
        with self._fresh:
            self._fresh.wait_for(lambda: self._count > seen, timeout=seconds)
            newest, age = self._newest, self._clock() - self._put_at
            if self.paused or newest is None or not 0 <= age <= HOLD_SECONDS:
                return self._count, self._card
            return self._count, newest


def blank_frame(size: tuple[int, int], colour: Colour) -> Frame:
    """An empty yuv420p frame for the card at the start; ``size``: width and height in px, made even."""
    w, h = size[0] // 2 * 2, size[1] // 2 * 2
    planes = (np.zeros((h, w), np.uint8), np.zeros((h // 2, w // 2), np.uint8), np.zeros((h // 2, w // 2), np.uint8))
    return Frame(planes, "yuv420p", 0, Fraction(0), colour)
