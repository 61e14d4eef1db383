"""The only place that turns planes into an OutputFrame, which is all that sinks take (ARCHITECTURE.md)."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np

from streamtoon.image.letterbox import letterbox
from streamtoon.image.planes import from_rgb
from streamtoon.privacy.policy import HOLD_SECONDS
from streamtoon.types import SEAL, U8, Frame, OutputFrame, State


class Guard:
    """Decides for every frame whether it leaves drawn, held, as a card or as it came.

    ``private=False`` is the rule for films: a frame without a face is kept as it is and counted.
    ``private=True`` lets no undrawn picture out: the last drawn picture for at most HOLD_SECONDS, then a card;
    a card at once with ``hold=False``. Nothing is held from one shot to another, nor of a still.
    """

    def __init__(self, *, private: bool, hold: bool = True, paper: tuple[int, int, int] = (255, 255, 255)) -> None:
        self.private = private
        self.hold = hold
        self.paper = paper
        self._last: OutputFrame | None = None  # of the same shot
        self._shot = 0

    @staticmethod
    def undrawn(frame: Frame) -> OutputFrame:
        """The frame as it came: only where somebody holds down the key for it."""
        return _seal(frame, frame.planes, 0, "passthrough")

    def __call__(self, frame: Frame, planes: tuple[U8, ...] | None, faces: int) -> OutputFrame:
        """The picture that may leave for ``frame``; ``planes`` are the drawn ones, None where nothing was drawn."""
        if frame.still or frame.shot != self._shot:
            self._last, self._shot = None, frame.shot
        if planes is not None:
            drawn = _seal(frame, planes, faces, "drawn")
            self._last = None if frame.still else drawn
            return drawn
        if not self.private:
            return _seal(frame, frame.planes, 0, "passthrough")
        last = self._last
        fits = last is not None and last.planes[0].shape == frame.planes[0].shape and last.layout == frame.layout
        fresh = last is not None and 0 <= frame.seconds - last.seconds <= HOLD_SECONDS
        if last is not None and fits and fresh and self.hold:
            return _seal(frame, last.planes, last.faces, "held")
        return sealed_card(frame, self.paper)


def resized_copy(drawn: OutputFrame, size: tuple[int, int], index: int, seconds: Fraction) -> OutputFrame:
    """A picture that has passed, letterboxed to ``size`` (width and height in px, even), as another of another time."""
    planes = letterbox(drawn, size, drawn.colour)
    frame = Frame(planes, "yuv420p", index, seconds, drawn.colour)
    return _seal(frame, planes, drawn.faces, drawn.state)


def sealed_card(frame: Frame, paper: tuple[int, int, int]) -> OutputFrame:
    """The card that may leave for ``frame``."""
    return _seal(frame, card(frame, paper), 0, "card")


def _seal(frame: Frame, planes: tuple[U8, ...], faces: int, state: State) -> OutputFrame:
    return OutputFrame(planes, frame.layout, frame.index, frame.seconds, frame.colour, faces, state, SEAL)


def card(frame: Frame, paper: tuple[int, int, int]) -> tuple[U8, ...]:
    """A calm picture to show instead of the frame: an empty sheet with the outline of a bust, in its planes."""
    w, h = frame.width, frame.height
    image = np.full((h, w, 3), paper, np.uint8)
    unit, stroke = min(w, h) / 10, max(1, min(w, h) // 180)
    ink = (96, 96, 96)
    middle, neck = (round(w / 2), round(4.2 * unit)), (round(w / 2), round(8.6 * unit))
    cv2.ellipse(image, neck, (round(2.9 * unit), round(2.3 * unit)), 0, 180, 360, ink, stroke, cv2.LINE_AA)
    cv2.ellipse(image, middle, (round(1.35 * unit), round(1.75 * unit)), 0, 0, 360, paper, -1, cv2.LINE_AA)
    cv2.ellipse(image, middle, (round(1.35 * unit), round(1.75 * unit)), 0, 0, 360, ink, stroke, cv2.LINE_AA)
    return from_rgb(image, frame.layout, frame.colour)
