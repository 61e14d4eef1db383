"""Frame -> the input of a network that draws whole pictures, and its drawn planes -> the frame's own planes.

A picture network draws planes, so none are converted at a frame's size. It takes a film's planes for BT.601 whatever
their matrix is (their range counts), and draws in BT.601; laid back as they come, its planes are in the film's own
colours again.
"""

from __future__ import annotations

import math
from typing import Any, Final

import cv2
import numpy as np

from streamtoon.errors import UsageError
from streamtoon.image import colour
from streamtoon.types import U8, Colour, Frame

MIN_FRAME_PX: Final = 16  # narrower pictures are refused
MIN_DRAWN_PX: Final = 64  # least side of a drawn picture
GRID_PX: Final = 16  # a drawn picture's sides are multiples: of 8 at half the size, as networks want it
MAX_ENLARGEMENT: Final = 1.5  # of a frame to its drawn picture
SHARPENED: Final = 0.6  # how much of what a blur of 3x3 px takes is added where a drawing is enlarged

Size = tuple[int, int]  # width and height in px
Planes = tuple[U8, ...]


def drawn_size(width: int, height: int, lines: int) -> Size:
    """Width and height in px of a frame's drawn picture: about as many pixels as a 16:9 one of ``lines``.

    Its sides are multiples of GRID_PX, so its shape is nearly the frame's; that of a thin banner is wider. Raises
    UsageError for a frame narrower than MIN_FRAME_PX.
    """
    if min(width, height) < MIN_FRAME_PX:
        raise UsageError(
            f"the picture has {width}x{height} px; whole pictures are drawn from {MIN_FRAME_PX} px a side on"
        )
    pixels = lines * lines * 16 / 9
    scale = min(math.sqrt(pixels / (width * height)), MAX_ENLARGEMENT)
    longest = int(pixels / MIN_DRAWN_PX) // GRID_PX * GRID_PX
    w, h = (min(max(round(side * scale / GRID_PX) * GRID_PX, MIN_DRAWN_PX), longest) for side in (width, height))
    return w, h


def network_input(frame: Frame, size: Size) -> U8:
    """(h, w, 3) uint8 RGB of the whole frame, averaged down to ``size``; yuv planes are taken for BT.601."""
    if frame.layout == "rgb24":
        return np.ascontiguousarray(resized(frame.planes[0], size))
    yuv: Any = cv2.merge([resized(plane, size) for plane in frame.planes])
    return np.asarray(cv2.transform(yuv, colour.to_rgb(Colour("bt601", full_range=frame.colour.full_range))), np.uint8)


def frame_luma(frame: Frame, size: Size) -> U8:
    """(h, w) uint8: the frame's luma, or its grey, in ``size``."""
    if frame.layout == "rgb24":
        return np.asarray(cv2.cvtColor(resized(frame.planes[0], size), cv2.COLOR_RGB2GRAY), np.uint8)
    return resized(frame.planes[0], size)


def network_planes(drawn: U8) -> tuple[U8, U8, U8]:
    """Y (h, w), u and v (h / 2, w / 2) of (h * 3 / 2, w) uint8, planes in one sheet as I420 lays them; not copied."""
    rows, w = drawn.shape
    h = rows * 2 // 3
    shape = (h // 2, w // 2)
    return drawn[:h], drawn[h : h + h // 4].reshape(shape), drawn[h + h // 4 :].reshape(shape)


def luma(drawn: U8) -> U8:
    """(h, w) uint8: the first of a network's planes, full range."""
    return network_planes(drawn)[0]


def frame_planes(drawn: U8, frame: Frame) -> Planes:
    """A network's planes, full range, as planes of ``frame``'s size, layout and range.

    Where those are what was drawn, they are ``drawn`` itself, not a copy.
    """
    if frame.layout == "rgb24":
        y, u, v = network_planes(drawn)
        chroma = [resized(plane, (y.shape[1], y.shape[0])) for plane in (u, v)]
        rgb = cv2.transform(cv2.merge([y, *chroma]), colour.to_rgb(Colour("bt601", full_range=True)))
        return (np.ascontiguousarray(_crisp(np.asarray(rgb, np.uint8), (frame.width, frame.height))),)
    planes = [
        plane if frame.colour.full_range else _limited(plane, number)
        for number, plane in enumerate(network_planes(drawn))
    ]
    sizes = [(own.shape[1], own.shape[0]) for own in frame.planes]
    return _crisp(planes[0], sizes[0]), *(resized(p, size) for p, size in zip(planes[1:], sizes[1:], strict=True))


def resized(plane: U8, size: Size) -> U8:
    """(h, w) or (h, w, 3) uint8 in another size, shrunk by averaging; itself where it is of ``size``.

    Halved as long as that is not too small (the one exact shrinking that is quick), then interpolated.
    """
    w, h = size
    while plane.shape[1] >= 2 * w and plane.shape[0] >= 2 * h:
        even = plane[: plane.shape[0] // 2 * 2, : plane.shape[1] // 2 * 2]
        half = (even.shape[1] // 2, even.shape[0] // 2)
        plane = np.asarray(cv2.resize(even, half, interpolation=cv2.INTER_AREA), np.uint8)
    if plane.shape[:2] == (h, w):
        return plane
    shrinks_much = plane.shape[1] > 2 * w or plane.shape[0] > 2 * h  # along one side alone: a banner
    how = cv2.INTER_AREA if shrinks_much else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(plane, size, interpolation=how), np.uint8)


def _crisp(drawn: U8, size: Size) -> U8:
    """A drawing in another size, ``drawn`` itself where it has it; its lines are sharpened where it is enlarged.

    Before it is enlarged, while it is small: interpolation then softens them to what they were.
    """
    if drawn.shape[1] >= size[0]:
        return resized(drawn, size)
    sharp = cv2.addWeighted(drawn, 1 + SHARPENED, cv2.GaussianBlur(drawn, (3, 3), 0), -SHARPENED, 0)
    return np.asarray(cv2.resize(sharp, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def _limited(plane: U8, number: int) -> U8:
    """Plane ``number`` (0: luma) of full range in limited range."""
    span, middle = (219 / 255, 16.0) if number == 0 else (224 / 255, 128 * (1 - 224 / 255))
    return np.asarray(cv2.convertScaleAbs(plane, alpha=span, beta=middle), np.uint8)
