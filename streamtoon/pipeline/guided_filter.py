"""Guided filter: a coarse matte comes to lie on the edges of the luma (He, Sun, Tang: IEEE TPAMI 35(6), 2013).

Solved on a small grid, its coefficients enlarged (He, Sun: Fast Guided Filter, arXiv 1505.00996, 2015).
"""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np

from streamtoon.types import F32, U8, Crop

RADIUS: Final = 1 / 80  # of the filter's window, in parts of the square root of the grid's pixels: 8 px at 480 rows
STRIP_ROWS: Final = 8  # of the grid, enlarged at a time
EPSILON: Final = 0.001  # variance of luma, 0..1, below which it is no edge
RAMP: Final = (0.35, 0.65)  # filtered probability that is nobody, and somebody


def step_of(luma: U8, grid_px: int) -> int:
    """How many px of ``luma`` one px of a grid of ``grid_px`` at most stands for."""
    return min(math.ceil(math.sqrt(luma.size / grid_px)), int(luma.shape[0]), int(luma.shape[1]))


def shrunk(picture: U8, step: int) -> U8:
    """``picture`` over ``step``: whole blocks, since a broken number takes several times as long."""
    h, w = picture.shape[:2]
    if step < 2 or step > min(h, w):
        return picture
    blocks = (w // step, h // step)
    part = picture[: blocks[1] * step, : blocks[0] * step]
    return np.asarray(cv2.resize(part, blocks, interpolation=cv2.INTER_AREA), np.uint8)


def fit(guide: U8, people: F32) -> tuple[F32, F32]:
    """Guided filter: slope and offset, (h, w) float32, by which guide levels become matte levels, ramp included."""
    radius = max(1, round(RADIUS * math.sqrt(guide.size)))
    side = (2 * radius + 1, 2 * radius + 1)
    light = guide.astype(np.float32) * np.float32(1 / 255)
    mean, mean_people = cv2.blur(light, side), cv2.blur(people, side)
    both, square = cv2.blur(light * people, side), cv2.blur(light * light, side)
    slope = (both - mean * mean_people) / (square - mean * mean + EPSILON)
    offset = mean_people - slope * mean
    nobody, somebody = RAMP
    gain = 1 / (somebody - nobody)
    smooth, base = cv2.blur(slope, side), cv2.blur(offset, side)
    return np.asarray(smooth * gain, np.float32), np.asarray((base - nobody) * (255 * gain), np.float32)


def apply(slope: F32, offset: F32, luma: U8, step: int) -> U8:
    """``slope`` * ``luma`` + ``offset``, cut to 0..255; one px of the grid stands for ``step`` x ``step`` of luma.

    Strip by strip: whole pictures of floats would not stay in the processor's cache.
    """
    height, width = luma.shape
    rest = (-(-height // step) - slope.shape[0], -(-width // step) - slope.shape[1])  # blocks that were not whole
    slope, offset = (
        np.asarray(cv2.copyMakeBorder(c, 0, rest[0], 0, rest[1], cv2.BORDER_REPLICATE), np.float32)
        for c in (slope, offset)
    )
    matte = np.empty_like(luma)
    for top in range(0, height, STRIP_ROWS * step):
        bottom = min(height, top + STRIP_ROWS * step)
        first, last = max(0, top // step - 1), min(slope.shape[0], -(-bottom // step) + 1)  # a row more, to interpolate
        size = (slope.shape[1] * step, (last - first) * step)
        part = np.s_[top - first * step : bottom - first * step, :width]
        gain, base = (cv2.resize(c[first:last], size)[part] for c in (slope, offset))
        scaled = cv2.multiply(gain, luma[top:bottom], dtype=cv2.CV_32F)
        cv2.add(scaled, base, dst=matte[top:bottom], dtype=cv2.CV_8U)
    return matte


def apply_on_crop(slope: F32, offset: F32, cut: Crop, scale: float) -> U8:
    """``slope`` * grey + ``offset`` of a crop, cut to 0..255; ``scale``: px of the grid a frame px."""
    h, w = cut.image.shape[:2]
    to_grid = np.array([[scale, 0, (scale - 1) / 2], [0, scale, (scale - 1) / 2]])
    back = to_grid @ np.vstack([cv2.invertAffineTransform(cut.to_crop), [0, 0, 1]])  # crop px -> grid px
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    gain, base = (
        cv2.warpAffine(c, back, (w, h), flags=flags, borderMode=cv2.BORDER_REPLICATE) for c in (slope, offset)
    )
    scaled = cv2.multiply(gain, cv2.cvtColor(cut.image, cv2.COLOR_RGB2GRAY), dtype=cv2.CV_32F)
    return np.asarray(cv2.add(scaled, base, dtype=cv2.CV_8U), np.uint8)
