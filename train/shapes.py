"""Soft-edged areas: what teachers draw by, data is made with and evaluation measures in."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from streamtoon.types import F32

Floats = npt.NDArray[np.floating[Any]]
Contours = dict[str, F32]  # {name: (n, 2) px}: lips, mouth, right_eye, left_eye, oval (data.face_contours)


def polygon(shape: tuple[int, ...], points: F32, grow: float, soft: float = 0.8) -> F32:
    """(h, w) float32 0..1: inside ``points``, grown by ``grow`` px, its edge softened."""
    filled = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(filled, [np.round(points * 16).astype(np.int32)], (255,), cv2.LINE_AA, 4)
    if grow > 0:
        size = 2 * int(np.ceil(grow)) + 1
        filled = cv2.dilate(filled, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))  # type: ignore[assignment]
    return np.asarray(cv2.GaussianBlur(filled, (0, 0), soft) / np.float32(255), np.float32)


def ramp(x: Floats, low: float, high: float) -> F32:
    """0 up to ``low``, 1 from ``high``, smooth between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)
