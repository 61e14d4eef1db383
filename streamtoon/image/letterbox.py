"""A picture in a live sink's own size and colours: cameras change theirs on the way, a call does not."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from streamtoon.image import colour
from streamtoon.image.planes import from_rgb, to_rgb
from streamtoon.types import U8, Colour, OutputFrame

CALLS: Final = Colour("bt601")  # what webcams give, and what programs take the I420 of a virtual camera for


def letterbox(drawn: OutputFrame, size: tuple[int, int], coding: Colour = CALLS) -> tuple[U8, ...]:
    """``drawn`` as yuv420p planes of ``size`` (width and height in px, even): as large as it fits, black beside it.

    What fits already is given back as it is: nobody writes into it.
    """
    w, h = size
    if drawn.layout == "yuv420p" and drawn.colour == coding and (drawn.width, drawn.height) == size:
        return drawn.planes
    scale = min(w / drawn.width, h / drawn.height)
    inner = (_even(drawn.width * scale, w), _even(drawn.height * scale, h))
    planes = tuple(_scaled(p, inner, 1 if i == 0 else 2) for i, p in enumerate(drawn.planes))
    if drawn.layout != "yuv420p" or drawn.colour != coding:
        planes = from_rgb(to_rgb(planes, drawn.layout, drawn.colour), "yuv420p", coding)
    if inner == size:
        return planes
    x, y = (w - inner[0]) // 4 * 2, (h - inner[1]) // 4 * 2
    black = colour.to_yuv(coding)[:, 3]
    sheets = []
    for plane, tone, pitch in zip(planes, black, (1, 2, 2), strict=True):
        sheet = np.full((h // pitch, w // pitch), int(tone), np.uint8)
        sheet[y // pitch :, x // pitch :][: plane.shape[0], : plane.shape[1]] = plane
        sheets.append(sheet)
    return tuple(sheets)


def pack(planes: tuple[U8, ...], sheet: U8) -> None:
    """Copy yuv420p planes of even size into ``sheet``, (3 * h / 2, w): one after the other, as OpenCV's I420 lies."""
    flat, start = sheet.reshape(-1), 0
    for plane in planes:
        flat[start : start + plane.size].reshape(plane.shape)[:] = plane
        start += plane.size


def _even(length: float, room: int) -> int:
    return min(room, max(2, round(length / 2) * 2))


def _scaled(plane: U8, size: tuple[int, int], pitch: int) -> U8:
    shape = (size[0] // pitch, size[1] // pitch)
    shrinks = shape[0] < plane.shape[1]
    return np.asarray(cv2.resize(plane, shape, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR), np.uint8)
