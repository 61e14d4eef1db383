"""Steady drawings: a motion-gated running average of each crop and of its drawing.

A crop holds still while its face is about where it was (framing.py): it differs from the one before by the sensor's
noise alone, and a network answers noise with strokes that shimmer. So the crop is averaged before it is drawn, which
keeps strokes crisp, and the drawing after it, both gated by how far the crop is from its own average: slow changes add
up there and pass, noise does not. Where something moves, the newest crop alone is drawn, and the drawing is mixed with
the one before, since strokes jump there. Eyes, nose and mouth pass sooner than hair and cloth, whose delay is not
noticed. An average without the gate would blur and trail.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final

import cv2
import numpy as np

from streamtoon.pipeline.crop import Affine
from streamtoon.types import F32, U8, Crop, Face

GRAIN_PX: Final = 7  # over which change is averaged before it is judged
SHARP_LAPLACIAN: Final = 70.0  # mean of a sharp face without its grain; a blurred one moves with less change
CHANGE_DECAY: Final = 0.55  # share of a change that still counts a frame later: nothing old stays in what moved
MAX_PENDING_FRAMES: Final = 64  # whose crops wait for their drawings; beyond that drawings begin anew
MATTE_CHANGE_LEVELS: Final = (8.0, 64.0)  # of 255: from which on, and at which, somebody came or left there
MATTE_CHANGE_WEIGHT: Final = 0.75  # of the old drawing where the matte changed; larger values leave ghosts
LEVELS: Final = np.arange(256, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class _Gate:
    """Weight of an average by grey levels of change, (256,) float32 each.

    crop     0.95 up to ``noise``, falling to 0 at ``motion``
    drawing  the same, but still ``moving`` at ``motion``, falling to 0 at ``end``, where everything has changed
    """

    crop: F32
    drawing: F32


def _gate(noise: float, motion: float, moving: float, end: float) -> _Gate:
    still = 0.95 * np.clip((motion - LEVELS) / (motion - noise), 0, 1)
    soft = moving * np.clip((end - LEVELS) / (end - motion), 0, 1)
    return _Gate(still.astype(np.float32), np.maximum(still, soft).astype(np.float32))


FEATURES: Final = _gate(4, 12, 0.5, 80)  # eyes, nose and mouth
REST: Final = _gate(12, 32, 0.75, 140)


@dataclass(slots=True)
class _Average:
    to_crop: Affine
    image: F32  # (h, w, 3): the average crop
    grey: F32  # (h, w): it without its grain
    change: F32  # (h, w): how far the crop was from it, grey levels


class TemporalFilter:
    """Remembers every face's average crop and drawing. Each method is called once a frame with all faces."""

    def __init__(self) -> None:
        self._sequence = self._last = 0  # number of the newest crops, of the newest drawings
        self._seen: dict[int, _Average] = {}
        # weights of frames not drawn yet, by sequence number
        self._keeps: deque[tuple[int, dict[int, F32]]] = deque(maxlen=MAX_PENDING_FRAMES)
        self._drawn: dict[int, F32] = {}

    def crops(self, faces: list[Face], crops: list[Crop]) -> tuple[list[Crop], int]:
        """The average crops, and their sequence number for ``drawings``; other faces are forgotten."""
        found = [self._average(face, cut) for face, cut in zip(faces, crops, strict=True)]
        self._seen = {face.id: seen for face, (seen, _) in zip(faces, found, strict=True)}
        self._sequence += 1
        self._keeps.append((self._sequence, {face.id: keep for face, (_, keep) in zip(faces, found, strict=True)}))
        return [Crop(np.asarray(cv2.convertScaleAbs(s.image), np.uint8), s.to_crop) for s, _ in found], self._sequence

    def drawings(self, faces: list[Face], sequence: int, drawn: list[U8]) -> list[U8]:
        """The average drawings, (h, w, 4) uint8 RGBA, of the crops numbered ``sequence``.

        Numbers may be left out, where frames were dropped, but never go back.
        """
        pending = []
        while self._keeps and self._keeps[0][0] <= sequence:
            pending.append(self._keeps.popleft()[1])
        whole, self._last = len(pending) == sequence - self._last, sequence
        shown = {}
        for face, drawing in zip(faces, drawn, strict=True):
            now, before = drawing.astype(np.float32), self._drawn.get(face.id)
            # what stays of a drawing stayed of every crop since
            if before is not None and before.shape == now.shape and whole and all(face.id in k for k in pending):
                keep: F32 = np.asarray(reduce(np.multiply, [k[face.id] for k in pending]), np.float32)
                now = _mix(now, before, keep * _matte_weight(now, before))
            shown[face.id] = now
        self._drawn = shown
        return [np.asarray(cv2.convertScaleAbs(shown[face.id]), np.uint8) for face in faces]

    def _average(self, face: Face, cut: Crop) -> tuple[_Average, F32]:
        """The new average of a crop, and the weight of the drawing before, (h, w)."""
        grey = cv2.blur(cv2.cvtColor(cut.image, cv2.COLOR_RGB2GRAY), (GRAIN_PX, GRAIN_PX)).astype(np.float32)
        now = _Average(cut.to_crop, cut.image.astype(np.float32), grey, np.zeros_like(grey))
        before = self._seen.get(face.id)
        # what was seen elsewhere must not stand in a crop that was moved
        if before is None or not np.array_equal(before.to_crop, now.to_crop):
            return now, np.zeros_like(grey)
        now.change = np.asarray(cv2.max(cv2.absdiff(grey, before.grey), before.change * CHANGE_DECAY), np.float32)
        levels = cv2.convertScaleAbs(now.change, alpha=1 / _detail(grey))
        features = _features(face, cut)
        keep = _mix(cv2.LUT(levels, REST.crop), cv2.LUT(levels, FEATURES.crop), features)
        now.image, now.grey = _mix(now.image, before.image, keep), _mix(now.grey, before.grey, keep)
        return now, _mix(cv2.LUT(levels, REST.drawing), cv2.LUT(levels, FEATURES.drawing), features)


def _matte_weight(now: F32, before: F32) -> F32:
    """(h, w) float32: 1 where the matte of (h, w, 4) is as it was, MATTE_CHANGE_WEIGHT where it changed."""
    start, end = MATTE_CHANGE_LEVELS
    moved = cv2.absdiff(now[..., 3], before[..., 3])
    return np.asarray(np.clip((end - moved) / (end - start), MATTE_CHANGE_WEIGHT, 1), np.float32)


def _mix(now: Any, before: Any, keep: F32) -> F32:
    """``before`` with the weight ``keep``, (h, w), and ``now`` with the rest."""
    cover = keep if now.ndim == 2 else cv2.merge([keep] * now.shape[2])
    return np.asarray(cv2.add(now, cv2.multiply(cv2.subtract(before, now), cover)), np.float32)


def _detail(grey: F32) -> float:
    """How much there is to see in the middle of a crop, .6 to 1."""
    h, w = grey.shape
    middle = grey[h // 4 : 3 * h // 4, w // 4 : 3 * w // 4]
    return float(np.clip(np.abs(cv2.Laplacian(middle, cv2.CV_32F, ksize=5)).mean() / SHARP_LAPLACIAN, 0.6, 1))


def _features(face: Face, cut: Crop) -> F32:
    """(h, w) float32: 1 where eyes, nose and mouth are in the crop, 0 elsewhere, soft between."""
    mask = np.zeros(cut.image.shape[:2], np.float32)
    right, left, nose, mouth = (cut.to_crop @ (*point, 1) for point in face.keypoints[:4].astype(np.float64))
    unit = max(math.hypot(*(left - right)), math.hypot(*(mouth - (right + left) / 2)))
    tilt = math.degrees(math.atan2(left[1] - right[1], left[0] - right[0]))
    for (x, y), wide, high in ((right, 0.4, 0.3), (left, 0.4, 0.3), (nose, 0.36, 0.36), (mouth, 0.66, 0.54)):
        axes = (round(wide * unit), round(high * unit))
        cv2.ellipse(mask, (round(x), round(y)), axes, tilt, 0, 360, (1.0,), -1)
    side = 2 * round(0.08 * unit) + 1
    return np.asarray(cv2.blur(mask, (side, side)), np.float32)
