"""``portrait:`` - NASA's portrait of Eileen Collins, moved by a known affine motion: for demo, bench and tests.

``portrait:`` gives 300 frames of 1280x720; ``portrait:COUNT@WIDTHxHEIGHT`` asks for others, at 30 frames a second.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from streamtoon.errors import UsageError
from streamtoon.image.planes import from_rgb
from streamtoon.sources import Frames
from streamtoon.types import U8, Colour, Frame

FPS: Final = 30
PORTRAIT_COLOUR: Final = Colour("bt709")
PORTRAIT_FILE: Final = Path(__file__).parent.parent / "assets" / "portrait.webp"
FACE_CENTRE: Final = (224.0, 112.0)  # middle of the face in the picture, px


def picture() -> U8:
    """The portrait at rest, (512, 512, 3) uint8 RGB."""
    with Image.open(PORTRAIT_FILE) as file:
        return np.asarray(file.convert("RGB"))


def motion(index: int, width: int, height: int) -> npt.NDArray[np.float64]:
    """The exact ground truth: (2, 3) affine, portrait px -> px of frame ``index``.

    The head sways: it shifts, leans and comes nearer with periods that never meet, as a person before a camera does.
    """
    t = index / FPS
    zoom = height / 250 * (1 + 0.06 * math.sin(1.1 * t))
    angle = math.radians(5 * math.sin(1.7 * t))
    rows = zoom * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    seat = np.array([width / 2 + 0.05 * width * math.sin(0.9 * t), 0.44 * height + 0.04 * height * math.sin(1.3 * t)])
    return np.column_stack([rows, seat - rows @ np.array(FACE_CENTRE)])


def read(target: str) -> Iterator[Frame]:
    """Yield yuv420p frames (BT.709, limited range); raises UsageError for a target it does not understand."""
    asked = re.fullmatch(r"portrait:(?:(\d+)@(\d+)x(\d+))?", target)
    if not asked:
        raise UsageError(f"{target!r} is not understood; write portrait: or portrait:300@1280x720")
    count, width, height = (int(g) for g in asked.groups(default="0")) if asked[1] else (300, 1280, 720)
    if not (count >= 1 and 16 <= width <= 7680 and 16 <= height <= 4320):
        raise UsageError(f"{target!r}: at least 1 frame, from 16x16 to 7680x4320 px")
    return _frames(count, width, height)


class Portrait(Frames):
    """The moving portrait as a source."""

    def __init__(self, target: str) -> None:
        super().__init__(read(target), Fraction(FPS))


def open(target: str, *, threads: int) -> Portrait:  # noqa: A001 - as in ``av.open``
    """The moving portrait; it decodes nothing. Raises UsageError for a target it does not understand."""
    del threads
    return Portrait(target)


def _frames(count: int, width: int, height: int) -> Iterator[Frame]:
    still = picture()
    for index in range(count):
        affine = motion(index, width, height)
        moved = cv2.warpAffine(still, affine, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        planes = from_rgb(np.asarray(moved, np.uint8), "yuv420p", PORTRAIT_COLOUR)
        yield Frame(planes, "yuv420p", index, Fraction(index, FPS), PORTRAIT_COLOUR, duration=Fraction(1, FPS))
