"""What stands behind the drawings: the frame itself, paper, the frame blurred, or a picture of the user's."""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np

from streamtoon.image import colour
from streamtoon.image.planes import from_rgb
from streamtoon.types import U8, Background, Frame

BLUR_ROWS: Final = 24  # px: height to which a picture is shrunk before it is blurred and enlarged again
BLUR_SIGMA: Final = 1.2  # px at that height


class Backdrop:
    """A picture behind everything, in the planes of whatever frame it stands behind."""

    def __init__(self, picture: U8) -> None:
        """``picture``: (h, w, 3) uint8 RGB of any size."""
        self._picture = picture
        self._kind: tuple[object, ...] = ()
        self._planes: tuple[U8, ...] = ()

    def planes(self, frame: Frame) -> tuple[U8, ...]:
        """Planes of ``frame``'s size, layout and colours, converted when one of these changes; not to be written to."""
        kind = (frame.width, frame.height, frame.layout, frame.colour)
        if kind != self._kind:
            picture = filling(self._picture, frame.width, frame.height)
            self._kind, self._planes = kind, from_rgb(picture, frame.layout, frame.colour)
        return self._planes


def planes(frame: Frame, background: Background, paper: tuple[int, int, int]) -> tuple[U8, ...]:
    """New planes in ``frame``'s layout: a sheet of ``paper`` (RGB), the frame blurred, or a copy of the frame."""
    if background == "paper":
        sheet = np.array([[paper]], np.uint8)
        if frame.layout == "rgb24":
            return (np.broadcast_to(sheet, frame.planes[0].shape).copy(),)
        tone = cv2.transform(sheet, colour.to_yuv(frame.colour))
        return tuple(np.full(p.shape, tone[0, 0, i], np.uint8) for i, p in enumerate(frame.planes))
    if background == "blur":
        return tuple(_blurred(p) for p in frame.planes)
    return tuple(p.copy() for p in frame.planes)


def filling(picture: U8, width: int, height: int) -> U8:
    """(h, w, 3) uint8 RGB scaled to cover ``width`` x ``height`` px, the excess cut off evenly."""
    h, w = picture.shape[:2]
    scale = max(width / w, height / h)
    shape = (max(width, math.ceil(w * scale)), max(height, math.ceil(h * scale)))
    large = cv2.resize(picture, shape, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    y, x = (shape[1] - height) // 2, (shape[0] - width) // 2
    return np.ascontiguousarray(large[y : y + height, x : x + width], np.uint8)


def _blurred(plane: U8) -> U8:
    """One plane so blurred that no face can be recognised."""
    h, w = plane.shape[:2]
    small = cv2.resize(plane, (max(1, round(BLUR_ROWS * w / h)), BLUR_ROWS), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), BLUR_SIGMA, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(small, (w, h), interpolation=cv2.INTER_CUBIC), np.uint8)
