"""How a display matrix turns coded pictures upright, and back."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from streamtoon.types import U8


@dataclass(frozen=True, slots=True)
class Orientation:
    """A turn by quarters with or without a mirror: transpose first, then flip (all eight EXIF orientations)."""

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    def __bool__(self) -> bool:
        return self.transpose or self.flip_x or self.flip_y

    def upright(self, plane: U8) -> U8:
        """(h, w) coded samples -> (h, w) or (w, h) upright ones, contiguous."""
        plane = np.asarray(cv2.transpose(plane), np.uint8) if self.transpose else plane
        return _flip(plane, x=self.flip_x, y=self.flip_y)

    def coded(self, plane: U8) -> U8:
        """The inverse of ``upright``."""
        plane = _flip(plane, x=self.flip_x, y=self.flip_y)
        return np.asarray(cv2.transpose(plane), np.uint8) if self.transpose else plane


def _flip(plane: U8, *, x: bool, y: bool) -> U8:
    return np.asarray(cv2.flip(plane, -1 if x and y else int(x)), np.uint8) if x or y else plane


def from_matrix(matrix: Sequence[int]) -> Orientation | None:
    """The turn a display matrix stands for; None where it is not made of quarter turns and mirrors.

    ``matrix`` holds a b u c d v x y w (ISO/IEC 14496-12, 8.3.2): p' = a p + c q + x, q' = b p + d q + y.
    """
    a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
    if a and d and not (b or c):
        return Orientation(flip_x=a < 0, flip_y=d < 0)
    if b and c and not (a or d):
        return Orientation(transpose=True, flip_x=c < 0, flip_y=b < 0)
    return None


def unpack(data: bytes) -> tuple[int, ...]:
    """The nine numbers of libav's display matrix side data (native int32)."""
    return struct.unpack("9i", data)
