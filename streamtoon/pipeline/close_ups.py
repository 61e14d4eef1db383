"""Small faces, drawn once more by themselves: at the picture's scale their eyes and mouths are a smudge in any style.

A close-up is an upright square of the frame around a head, drawn by the network of the whole picture and laid over it
with a soft edge. It shows the same pixels, so nothing shifts wherever the square stands; it stands still while the
head moves within it, as a network answers every fraction of a pixel with other strokes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import cv2
import numpy as np

from streamtoon.pipeline.input_filter import InputFilter
from streamtoon.pipeline.picture import network_input
from streamtoon.types import U8, Face, Frame

SMALL_FACE_PX: Final = 110.0  # a narrower face in the drawn picture is drawn again
KEPT_FACE_PX: Final = 125.0  # up to which one stays so
MIN_FACE_PX: Final = 12.0  # a narrower face in the frame is not worth it
MOST: Final = 4  # close-ups a frame, of the largest such faces
SIDE_PX: Final = 320  # of a drawn close-up
SIDE_FACES: Final = 1.9  # face widths across it: the face is then about 170 px wide
MAX_ENLARGED: Final = 2.5  # how much larger than in the picture it is drawn: shrunk more, strokes would fade
UP_FACES: Final = 0.1  # face widths by which its middle is above the face's: there is hair above and neck below
CONTRAST: Final = 0.9  # how much of what a close-up differs by from its surroundings is added
AROUND: Final = 1 / 16  # of its side: standard deviation of the blur that tells them
MAX_SHIFT: Final = 0.12  # of its side that a head may be off its middle
MAX_ZOOM: Final = 1.25  # how much larger or smaller the head may be than when it was placed


class Square(NamedTuple):
    """Where a close-up is in the frame, px; all even, as two by two samples share their chroma."""

    x: int
    y: int
    side: int


@dataclass(frozen=True, slots=True)
class CloseUp:
    """A part of a frame to be drawn by itself.

    square   where it is
    frame    that part alone, as a frame
    picture  (h, w, 3) uint8 RGB as the network takes it
    """

    square: Square
    frame: Frame
    picture: U8


class CloseUps:
    """Remembers where close-ups stand; call once a frame in order of time."""

    def __init__(self, scale: int, *, steady: bool) -> None:
        """``scale``: the network's drawn size over its input's; ``steady``: whether inputs are averaged over time."""
        self._input = SIDE_PX // scale
        self._steady = steady
        self._known: dict[int, tuple[Square, InputFilter]] = {}

    def __call__(self, frame: Frame, faces: list[Face], drawn_width: int) -> list[CloseUp]:
        """The close-ups of ``frame``, whose drawn picture is ``drawn_width`` px wide."""
        zoom = drawn_width / frame.width
        small = sorted((f for f in faces if self._is_small(f, zoom)), key=_width, reverse=True)
        least = SIDE_PX / MAX_ENLARGED / zoom
        placed = {face.id: self._place(face, frame, max(SIDE_FACES * _width(face), least)) for face in small[:MOST]}
        self._known = {key: found for key, found in placed.items() if found is not None}
        return [self._cut(frame, *found) for found in self._known.values()]

    def _is_small(self, face: Face, zoom: float) -> bool:
        limit = KEPT_FACE_PX if face.id in self._known else SMALL_FACE_PX
        return _width(face) >= MIN_FACE_PX and _width(face) * zoom < limit

    def _place(self, face: Face, frame: Frame, side: float) -> tuple[Square, InputFilter] | None:
        x, y = ((face.box[:2] + face.box[2:]) / 2).tolist()
        y -= UP_FACES * _width(face)
        known = self._known.get(face.id)
        if known is not None:
            at = known[0]
            off = max(abs(at.x + at.side / 2 - x), abs(at.y + at.side / 2 - y))
            if off < MAX_SHIFT * at.side and 1 / MAX_ZOOM < side / at.side < MAX_ZOOM:
                return known
        even = round(side / 2) * 2
        room = [(length - even) // 2 * 2 for length in (frame.width, frame.height)]
        if min(room) < 0:
            return None
        left, top = (min(max(round((c - even / 2) / 2) * 2, 0), r) for c, r in zip((x, y), room, strict=True))
        return Square(left, top, even), InputFilter()

    def _cut(self, frame: Frame, square: Square, steady: InputFilter) -> CloseUp:
        planes = tuple(part(plane, square, 1 if i == 0 else 2) for i, plane in enumerate(frame.planes))
        alone = replace(frame, planes=planes)
        picture = network_input(alone, (self._input, self._input))
        return CloseUp(square, alone, contrasted(steady(picture) if self._steady else picture))

    def forget(self) -> None:
        """The next frame has nothing to do with those before."""
        self._known = {}


def contrasted(picture: U8) -> U8:
    """(h, w, 3) uint8 with more local contrast: a camera leaves eyes of a few px hardly darker than the skin."""
    around = cv2.GaussianBlur(picture, (0, 0), picture.shape[0] * AROUND)
    return np.asarray(cv2.addWeighted(picture, 1 + CONTRAST, around, -CONTRAST, 0), np.uint8)


def part(plane: U8, square: Square, pitch: int) -> U8:
    """The samples of ``plane`` in ``square``; one sample is ``pitch`` px wide."""
    x, y, side = (length // pitch for length in square)
    return plane[y : y + side, x : x + side]


def _width(face: Face) -> float:
    return float(face.box[2] - face.box[0])
