"""Y'CbCr <-> R'G'B' as 3x4 matrices for ``cv2.transform``, from the definitions of ITU-R BT.601, BT.709 and BT.2020."""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np

from streamtoon.types import F32, Colour

KR_KB: Final = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}


@cache
def to_yuv(colour: Colour) -> F32:
    """(3, 4) float32: RGB 0..255 -> YCbCr 0..255 of ``colour``."""
    kr, kb = KR_KB[colour.matrix]
    luma = np.array([kr, 1 - kr - kb, kb])
    cb = (np.array([0.0, 0.0, 1.0]) - luma) / (2 * (1 - kb))
    cr = (np.array([1.0, 0.0, 0.0]) - luma) / (2 * (1 - kr))
    rows = np.stack([luma, cb, cr])
    offset = np.array([0.0, 128.0, 128.0])
    if not colour.full_range:
        rows *= np.array([[219.0], [224.0], [224.0]]) / 255
        offset[0] = 16.0
    return np.column_stack([rows, offset]).astype(np.float32)


@cache
def to_rgb(colour: Colour) -> F32:
    """(3, 4) float32: YCbCr 0..255 of ``colour`` -> RGB 0..255."""
    forward = to_yuv(colour).astype(np.float64)
    rows = np.linalg.inv(forward[:, :3])
    return np.column_stack([rows, -rows @ forward[:, 3]]).astype(np.float32)
