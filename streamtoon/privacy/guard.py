"""What may leave: the only place that turns planes into a Drawn (ARCHITECTURE.md, "Fail-closed")."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Final

import cv2
import numpy as np

from streamtoon.pipeline.blend import from_rgb
from streamtoon.types import SEAL, U8, Crop, Frame, OutputFrame, State

HOLD_SECONDS: Final = Fraction(1, 2)
UNLIKE: Final = 6.0  # least mean difference between a drawing and its crop over the face, grey levels
DRAWN: Final = 2.0  # least standard deviation of a drawing there, grey levels


class Guard:
    """Decides for every frame whether it leaves drawn, held, as a card or as it came.

    ``private=False`` is the rule for films: a frame without a face is kept as it is and counted.
    ``private=True`` lets no undrawn picture out: the last drawn picture for at most HOLD_SECONDS, then a card;
    a card at once with ``hold=False``.
    """

    def __init__(self, *, private: bool, hold: bool = True, paper: tuple[int, int, int] = (255, 255, 255)) -> None:
        self.private = private
        self.hold = hold
        self.paper = paper
        self._last: OutputFrame | None = None

    @staticmethod
    def undrawn(frame: Frame) -> OutputFrame:
        """The frame as it came: only where somebody holds down the key for it."""
        return _seal(frame, frame.planes, 0, "passthrough")

    def forget(self) -> None:
        """The next frame has nothing to do with those before: nothing is held for it."""
        self._last = None

    def __call__(self, frame: Frame, planes: tuple[U8, ...] | None, faces: int) -> OutputFrame:
        """The picture that may leave for ``frame``; ``planes`` are the drawn ones, None where nothing was drawn."""
        if planes is not None:
            self._last = _seal(frame, planes, faces, "drawn")
            return self._last
        if not self.private:
            return _seal(frame, frame.planes, 0, "passthrough")
        last = self._last
        fits = last is not None and last.planes[0].shape == frame.planes[0].shape and last.layout == frame.layout
        fresh = last is not None and 0 <= frame.seconds - last.seconds <= HOLD_SECONDS
        if last is not None and fits and fresh and self.hold:
            return _seal(frame, last.planes, last.faces, "held")
        return _seal(frame, card(frame, self.paper), 0, "card")


def hides_face(cut: Crop, drawn: U8) -> bool:
    """Whether a drawn crop stands for the face: a drawing, not an empty sheet and not the photograph itself.

    drawn: (h, w, 4) uint8 RGBA. An engine that answers with nothing, or with what it was given, hides nobody.
    """
    h, w = cut.image.shape[:2]
    face = np.s_[round(0.3 * h) : round(0.75 * h), round(0.3 * w) : round(0.7 * w)]
    drawing = np.ascontiguousarray(drawn[face][..., :3])
    differs_from_photo = float(cv2.absdiff(drawing, np.ascontiguousarray(cut.image[face])).mean()) >= UNLIKE
    return differs_from_photo and float(drawing.std()) >= DRAWN


def differs_from_photo(scene: list[Crop], drawn: list[U8]) -> bool:
    """Whether a drawn scene is something else than its photograph; one tile alone may be a wall as white as paper."""
    changes = [
        float(cv2.absdiff(np.ascontiguousarray(d[..., :3]), c.image).mean()) for c, d in zip(scene, drawn, strict=True)
    ]
    return not changes or float(np.mean(changes)) >= UNLIKE


class OutputGate:
    """The picture that may leave now: the newest one while it is fresh, the card otherwise. For live; thread-safe.

    One thread puts, any number of senders take. A stalled camera, detector or engine puts nothing: then the last
    picture is held for HOLD_SECONDS of the wall clock, and the card follows. Until the first picture there is the card.
    """

    def __init__(self, blank: Frame, paper: tuple[int, int, int], clock: Callable[[], float] = time.monotonic) -> None:
        self._card = _seal(blank, card(blank, paper), 0, "card")
        self._clock = clock
        self._newest: OutputFrame | None = None
        self._put_at = 0.0
        self._count = 0
        self._fresh = threading.Condition()
        self.paused = False  # the card, until it is unset

    def put(self, drawn: OutputFrame) -> None:
        """Offer a picture that guard has passed."""
        if not isinstance(drawn, OutputFrame):
            raise TypeError(f"only a Drawn may leave, which guard makes; this is a {type(drawn).__name__}")
        with self._fresh:
            self._newest, self._put_at = drawn, self._clock()
            self._count += 1
            self._fresh.notify_all()

    def take(self, seen: int, seconds: float) -> tuple[int, OutputFrame]:
        """The picture to send, waiting at most ``seconds`` for one newer than number ``seen``; and its number."""
        with self._fresh:
            self._fresh.wait_for(lambda: self._count > seen, timeout=seconds)
            newest, age = self._newest, self._clock() - self._put_at
            if self.paused or newest is None or not 0 <= age <= HOLD_SECONDS:
                return self._count, self._card
            return self._count, newest


def resized_copy(drawn: OutputFrame, size: tuple[int, int], index: int, seconds: Fraction) -> OutputFrame:
    """A picture that has passed, letterboxed to ``size`` (width and height in px, even), as another of another time."""
    from streamtoon.image.letterbox import letterbox

    planes = letterbox(drawn, size, drawn.colour)
    frame = Frame(planes, "yuv420p", index, seconds, drawn.colour)
    return _seal(frame, planes, drawn.faces, drawn.state)


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
