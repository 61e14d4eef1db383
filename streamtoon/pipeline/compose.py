"""Planes over planes, where a matte says so."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np

from streamtoon.types import U8

BAND_ROWS: Final = 128  # rows laid at a time: what is made on the way stays in the processor's cache


def lay(below: tuple[U8, ...], above: tuple[U8, ...], matte: U8) -> None:
    """Lay ``above`` over ``below``, planes of one frame in its layout, in place.

    matte  (h, w) uint8, of the frame's size: 255 where ``above`` stands. Where it is 0 samples stay what they were.
    """
    x, y, w, h = cv2.boundingRect(matte)  # of what is not 0
    if not (w and h):
        return
    right, bottom = x + w, y + h
    x, y = x // 2 * 2, y // 2 * 2
    right, bottom = min((right + 1) // 2 * 2, matte.shape[1]), min((bottom + 1) // 2 * 2, matte.shape[0])
    for row in range(y, bottom, BAND_ROWS):
        end = min(row + BAND_ROWS, bottom)
        alpha = matte[row:end, x:right]
        _mix(below[0][row:end, x:right], above[0][row:end, x:right], alpha)
        if len(below) == 1:
            continue
        rows, columns = slice(row // 2, (end + 1) // 2), slice(x // 2, (right + 1) // 2)
        shape = (columns.stop - columns.start, rows.stop - rows.start)
        alpha = np.asarray(cv2.resize(alpha, shape, interpolation=cv2.INTER_AREA), np.uint8)
        for under, over in zip(below[1:], above[1:], strict=True):
            _mix(under[rows, columns], over[rows, columns], alpha)


def _mix(under: U8, over: U8, alpha: Any) -> None:
    """``over`` over ``under``, in place; (h, w) or (h, w, 3)."""
    if under.ndim == 3:
        alpha = cv2.merge([alpha] * 3)
    through = cv2.multiply(under, cv2.bitwise_not(alpha), scale=1 / 255)
    under[:] = cv2.add(through, cv2.multiply(over, alpha, scale=1 / 255))
