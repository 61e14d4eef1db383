"""What may leave: the only place that turns planes into a Drawn (ARCHITECTURE.md, "Fail-closed")."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import cv2
import numpy as np

from streamtoon.blend import from_rgb
from streamtoon.types import SEAL, U8, Drawn, Frame, State

HOLD_SECONDS: Final = Fraction(1, 2)


class Guard:
    """Decides for every frame whether it leaves drawn, held, as a card or as it came.

    ``private=False`` is the rule for films: a frame without a face is kept as it is and counted.
    ``private=True`` lets no undrawn picture out: the last drawn picture for at most HOLD_SECONDS, then a card.
    """

    def __init__(self, *, private: bool, paper: tuple[int, int, int] = (255, 255, 255)) -> None:
        self.private = private
        self.paper = paper
        self._last: Drawn | None = None

    def forget(self) -> None:
        """The next frame has nothing to do with those before: nothing is held for it."""
        self._last = None

    def __call__(self, frame: Frame, planes: tuple[U8, ...] | None, faces: int) -> Drawn:
        """The picture that may leave for ``frame``; ``planes`` are the drawn ones, None where nothing was drawn."""
        if planes is not None:
            self._last = _seal(frame, planes, faces, "drawn")
            return self._last
        if not self.private:
            return _seal(frame, frame.planes, 0, "passthrough")
        last = self._last
        fits = last is not None and last.planes[0].shape == frame.planes[0].shape and last.layout == frame.layout
        if last is not None and fits and 0 <= frame.seconds - last.seconds <= HOLD_SECONDS:
            return _seal(frame, last.planes, last.faces, "held")
        return _seal(frame, card(frame, self.paper), 0, "card")


def _seal(frame: Frame, planes: tuple[U8, ...], faces: int, state: State) -> Drawn:
    return Drawn(planes, frame.layout, frame.index, frame.seconds, frame.colour, faces, state, SEAL)


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
