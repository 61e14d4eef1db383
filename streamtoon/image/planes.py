"""Frame planes <-> one RGB picture."""

from __future__ import annotations

import cv2
import numpy as np

from streamtoon.image import colour
from streamtoon.types import U8, Colour, Layout


def from_rgb(image: U8, layout: Layout, coding: Colour) -> tuple[U8, ...]:
    """(h, w, 3) uint8 RGB as planes of ``layout``; ``coding`` says how yuv planes encode it."""
    if layout == "rgb24":
        return (image,)
    y, u, v = cv2.split(cv2.transform(image, colour.to_yuv(coding)))
    half = ((image.shape[1] + 1) // 2, (image.shape[0] + 1) // 2)
    small = [cv2.resize(p, half, interpolation=cv2.INTER_AREA) for p in (u, v)]
    return (np.asarray(y, np.uint8), np.asarray(small[0], np.uint8), np.asarray(small[1], np.uint8))


def to_rgb(planes: tuple[U8, ...], layout: Layout, coding: Colour) -> U8:
    """Planes of ``layout`` as one (h, w, 3) uint8 RGB picture: for stills and people's eyes, never for films."""
    if layout == "rgb24":
        return planes[0]
    shape = (planes[0].shape[1], planes[0].shape[0])
    chroma = [cv2.resize(p, shape, interpolation=cv2.INTER_LINEAR) for p in planes[1:]]
    return np.asarray(cv2.transform(cv2.merge([planes[0], *chroma]), colour.to_rgb(coding)), np.uint8)
