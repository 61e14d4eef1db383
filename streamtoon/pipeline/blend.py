"""(frame, layers) -> planes: the inverse of crop, in the frame's own layout, in integers.

Drawings are premultiplied by their alpha at crop size, then warped: neither paper nor photo bleeds into the soft
edge. Only the rectangle under a drawing is touched; where its alpha is 0 a sample stays what it was.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np

from streamtoon.image import colour
from streamtoon.pipeline import background as behind
from streamtoon.pipeline.crop import Affine
from streamtoon.types import U8, Background, Frame

BAND_ROWS: Final = 128  # rows pasted at a time: what is made on the way stays in the processor's cache


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
    layers: list[PasteLayer],
    background: Background,
    paper: tuple[int, int, int],
    backdrop: tuple[U8, ...] | None = None,
) -> tuple[U8, ...]:
    """New planes in ``frame``'s layout: the background, then the layers over it in their order.

    backdrop: planes of the frame's shape that stand instead of the background.
    """
    planes = behind.planes(frame, background, paper) if backdrop is None else tuple(p.copy() for p in backdrop)
    for layer in layers:
        rgb = frame.layout == "rgb24"
        _paste(planes, layer.image if rgb else cv2.transform(layer.image, colour.to_yuv(frame.colour)), layer)
    return planes


def _paste(planes: tuple[U8, ...], image: Any, layer: PasteLayer) -> None:
    """Lay ``image``, (h, w, 3) uint8 in the colours of ``planes``, under ``layer.alpha`` over what it covers."""
    inverse = cv2.invertAffineTransform(layer.to_crop)
    left, top, w, h = cv2.boundingRect(layer.alpha)  # of what is not transparent
    x, y = (left - 1, left + w), (top - 1, top + h)
    corners = inverse @ np.array([[x[0], x[1], x[0], x[1]], [y[0], y[0], y[1], y[1]], [1, 1, 1, 1]], np.float64)
    h, w = planes[0].shape[:2]
    # an even number of samples from an even place on: two by two share their chroma
    x0, y0 = (np.maximum(np.floor(corners.min(axis=1)).astype(int) - 1, 0) // 2 * 2).tolist()
    x1, y1 = ((np.minimum(np.ceil(corners.max(axis=1)).astype(int) + 2, [w, h]) + 1) // 2 * 2).tolist()
    if x0 >= x1 or y0 >= y1:
        return
    over = cv2.multiply(image, cv2.merge([layer.alpha] * 3), scale=1 / 255)
    layers: Any = cv2.merge([*cv2.split(over), cv2.bitwise_not(layer.alpha)])
    # a small face is drawn larger than it is shown: shrink by area first, or its strokes would alias
    a = layer.to_crop[:, :2]
    step = max(1, int(math.sqrt(abs(a[0, 0] * a[1, 1] - a[0, 1] * a[1, 0]))))
    if step > 1:
        small = max(1, layer.alpha.shape[0] // step)
        layers = cv2.resize(layers, (small, small), interpolation=cv2.INTER_AREA)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    for row in range(y0, y1, BAND_ROWS):
        # shrunk crop px = (to_crop @ frame px - (step - 1) / 2) / step
        shift = a @ np.array([x0, row]) + layer.to_crop[:, 2] - (step - 1) / 2
        shape = (x1 - x0, min(BAND_ROWS, y1 - row))
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
