"""(frame, drawings) -> planes: the inverse of crop, in the frame's own layout, in integers.

Drawings are premultiplied by their alpha at crop size, then warped: neither paper nor photo bleeds into the soft
edge. Only the rectangle under a drawing is touched; where its alpha is 0 a sample stays what it was.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import cv2
import numpy as np

from streamtoon.image import colour
from streamtoon.pipeline.crop import Affine
from streamtoon.types import U8, Background, Colour, Frame, Layout

BAND: Final = 128  # rows pasted at a time: what is made on the way stays in the processor's cache


@dataclass(frozen=True, slots=True)
class PasteLayer:
    """A drawn crop, ready to be pasted.

    image    (h, w, 3) uint8 RGB
    alpha    (h, w) uint8: 255 where the drawing stands
    to_crop  (2, 3) affine, frame px -> crop px
    """

    image: U8
    alpha: U8
    to_crop: Affine


def blend(
    frame: Frame,
    drawings: list[PasteLayer],
    background: Background,
    paper: tuple[int, int, int],
    backdrop: tuple[U8, ...] | None = None,
) -> tuple[U8, ...]:
    """New planes in ``frame``'s layout: the background, then the drawings over it in their order.

    backdrop: planes of the frame's shape that stand instead of the background.
    """
    planes = _background(frame, background, paper) if backdrop is None else tuple(p.copy() for p in backdrop)
    for drawing in drawings:
        rgb = frame.layout == "rgb24"
        _paste(planes, drawing.image if rgb else cv2.transform(drawing.image, colour.to_yuv(frame.colour)), drawing)
    return planes


def from_rgb(image: U8, layout: Layout, coding: Colour) -> tuple[U8, ...]:
    """(h, w, 3) uint8 RGB as planes of ``layout``; ``coding`` says how yuv planes encode it."""
    if layout == "rgb24":
        return (image,)
    y, u, v = cv2.split(cv2.transform(image, colour.to_yuv(coding)))
    half = ((image.shape[1] + 1) // 2, (image.shape[0] + 1) // 2)
    small = [cv2.resize(p, half, interpolation=cv2.INTER_AREA) for p in (u, v)]
    return (np.asarray(y, np.uint8), np.asarray(small[0], np.uint8), np.asarray(small[1], np.uint8))


def filling(picture: U8, width: int, height: int) -> U8:
    """(h, w, 3) uint8 RGB scaled to cover ``width`` x ``height`` px, what stands over cut off evenly."""
    h, w = picture.shape[:2]
    scale = max(width / w, height / h)
    shape = (max(width, math.ceil(w * scale)), max(height, math.ceil(h * scale)))
    large = cv2.resize(picture, shape, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    y, x = (shape[1] - height) // 2, (shape[0] - width) // 2
    return np.ascontiguousarray(large[y : y + height, x : x + width], np.uint8)


def to_rgb(planes: tuple[U8, ...], layout: Layout, coding: Colour) -> U8:
    """Planes of ``layout`` as one (h, w, 3) uint8 RGB picture: for stills and people's eyes, never for films."""
    if layout == "rgb24":
        return planes[0]
    shape = (planes[0].shape[1], planes[0].shape[0])
    chroma = [cv2.resize(p, shape, interpolation=cv2.INTER_LINEAR) for p in planes[1:]]
    return np.asarray(cv2.transform(cv2.merge([planes[0], *chroma]), colour.to_rgb(coding)), np.uint8)


@cache
def feather(size: int, width: float) -> U8:
    """(size, size) uint8: 255 inside, falling smoothly to 0 over ``width`` parts of the side at the border."""
    position = (np.arange(size) + 0.5) / size
    ramp = np.clip(np.minimum(position, 1 - position) / width, 0, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)
    return np.asarray(np.minimum.outer(ramp, ramp) * 255 + 0.5, np.uint8)


@cache
def oval(size: int, margin: float) -> U8:
    """(size, size) uint8: 255 on the middle of a face as ``crop.square`` places it, soft towards its outline."""
    mask = np.zeros((size, size), np.uint8)
    unit = size / margin  # px of one face size
    middle = (round(size / 2), round(size / 2 + 0.06 * unit))
    cv2.ellipse(mask, middle, (round(0.45 * unit), round(0.55 * unit)), 0, 0, 360, (255,), -1, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.05 * unit), np.uint8)


def _background(frame: Frame, background: Background, paper: tuple[int, int, int]) -> tuple[U8, ...]:
    if background == "paper":
        sheet = np.array([[paper]], np.uint8)
        tone = sheet if frame.layout == "rgb24" else cv2.transform(sheet, colour.to_yuv(frame.colour))
        if frame.layout == "rgb24":
            return (np.broadcast_to(sheet, frame.planes[0].shape).copy(),)
        return tuple(np.full(p.shape, tone[0, 0, i], np.uint8) for i, p in enumerate(frame.planes))
    if background == "blur":
        return tuple(_blurred(p) for p in frame.planes)
    return tuple(p.copy() for p in frame.planes)


def _blurred(plane: U8) -> U8:
    """So blurred that no face can be told: the picture through a sheet of frosted glass."""
    h, w = plane.shape[:2]
    small = cv2.resize(plane, (max(1, round(24 * w / h)), 24), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), 1.2, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(small, (w, h), interpolation=cv2.INTER_CUBIC), np.uint8)


def _paste(planes: tuple[U8, ...], image: Any, drawing: PasteLayer) -> None:
    """Lay ``image``, (h, w, 3) uint8 in the colours of ``planes``, under ``drawing.alpha`` over what it covers."""
    inverse = cv2.invertAffineTransform(drawing.to_crop)
    left, top, w, h = cv2.boundingRect(drawing.alpha)  # of what is not transparent
    x, y = (left - 1, left + w), (top - 1, top + h)
    corners = inverse @ np.array([[x[0], x[1], x[0], x[1]], [y[0], y[0], y[1], y[1]], [1, 1, 1, 1]], np.float64)
    h, w = planes[0].shape[:2]
    # an even number of samples from an even place on: two by two share their chroma
    x0, y0 = (np.maximum(np.floor(corners.min(axis=1)).astype(int) - 1, 0) // 2 * 2).tolist()
    x1, y1 = ((np.minimum(np.ceil(corners.max(axis=1)).astype(int) + 2, [w, h]) + 1) // 2 * 2).tolist()
    if x0 >= x1 or y0 >= y1:
        return
    over = cv2.multiply(image, cv2.merge([drawing.alpha] * 3), scale=1 / 255)
    layers: Any = cv2.merge([*cv2.split(over), cv2.bitwise_not(drawing.alpha)])
    # a small face is drawn larger than it is shown: shrink by area first, or its strokes would alias
    a = drawing.to_crop[:, :2]
    step = max(1, int(math.sqrt(abs(a[0, 0] * a[1, 1] - a[0, 1] * a[1, 0]))))
    if step > 1:
        small = max(1, drawing.alpha.shape[0] // step)
        layers = cv2.resize(layers, (small, small), interpolation=cv2.INTER_AREA)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    for row in range(y0, y1, BAND):
        # shrunk crop px = (to_crop @ frame px - (step - 1) / 2) / step
        shift = a @ np.array([x0, row]) + drawing.to_crop[:, 2] - (step - 1) / 2
        shape = (x1 - x0, min(BAND, y1 - row))
        affine = np.column_stack([a / step, shift / step])
        _lay(planes, cv2.warpAffine(layers, affine, shape, flags=flags, borderValue=(0, 0, 0, 255)), x0, row)


def _lay(planes: tuple[U8, ...], layers: Any, x: int, y: int) -> None:
    """Lay (h, w, 4) uint8, three inks and what shows through them, over ``planes`` from frame px (x, y) on."""
    h, w = layers.shape[:2]
    *inks, through = cv2.split(layers)
    if len(planes) == 1:
        for i, ink in enumerate(inks):
            _cover(planes[0][y : y + h, x : x + w, i], ink, through)
        return
    _cover(planes[0][y : y + h, x : x + w], inks[0], through)
    u, v, through = (cv2.resize(s, (w // 2, h // 2), interpolation=cv2.INTER_AREA) for s in (*inks[1:], through))
    for plane, ink in zip(planes[1:], (u, v), strict=True):
        _cover(plane[y // 2 : (y + h) // 2, x // 2 : (x + w) // 2], ink, through)


def _cover(part: U8, ink: Any, through: Any) -> None:
    """``ink`` over ``part``, in place; what stands over the frame's edge is left out."""
    h, w = part.shape
    part[:] = cv2.add(cv2.multiply(part, through[:h, :w], scale=1 / 255), ink[:h, :w])
