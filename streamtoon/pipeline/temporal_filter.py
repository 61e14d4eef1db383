"""Steady drawings: running averages in crop space where nothing moves, what is new where something does.

A crop holds still while its face is about where it was (framing.py), so it is the same again and again but for the
sensor's noise, and a net answers noise with strokes that shimmer. So the crop is averaged before it is drawn, which
leaves strokes crisp, and the drawing after it, by how far the crop is from its own average. Slow changes add up there
and get through, noise does not. What moves is drawn from the newest crop alone, and its drawing softened by the one
before: strokes hop there. Eyes, nose and mouth get through sooner than hair and cloth: nobody minds late hair. Ungated
averaging would blur and trail.
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

GRAIN: Final = 7  # px over which change is looked at
DETAIL: Final = 70.0  # mean Laplacian of a sharp face without its grain; a blurred one moves with less change
FADE: Final = 0.55  # of a change is still taken for one a frame later, so that nothing old stays in what has moved
TURNS: Final = 64  # crops that may wait for their drawings; beyond that drawings begin anew
MATTE: Final = (8.0, 64.0)  # change of the matte, of 255, from which on and at which somebody came or left there
GHOST: Final = 0.75  # of what would stay of a drawing stays there, as paper shows what trails
LEVELS: Final = np.arange(256, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class _Gate:
    """How much of an average stays, (256,) float32 by grey levels of change.

    crop     nearly all of it up to ``noise``, nothing from ``motion`` on
    drawing  the same, but ``moving`` at ``motion``, and nothing where all has changed: at ``end``
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
class _Seen:
    to_crop: Affine
    image: F32  # (h, w, 3): the average crop
    grey: F32  # (h, w): it without its grain
    change: F32  # (h, w): how far the crop was from it, grey levels


class TemporalFilter:
    """Remembers every face's average crop and drawing. Each method is called once a frame with all faces."""

    def __init__(self) -> None:
        self._turn = self._last = 0  # of the crops, of the drawings
        self._seen: dict[int, _Seen] = {}
        self._keeps: deque[tuple[int, dict[int, F32]]] = deque(maxlen=TURNS)  # of crops not drawn yet, by turn
        self._drawn: dict[int, F32] = {}

    def crops(self, faces: list[Face], crops: list[Crop]) -> tuple[list[Crop], int]:
        """The average crops, and the turn that ``drawings`` wants to be told; other faces are forgotten."""
        found = [self._average(face, cut) for face, cut in zip(faces, crops, strict=True)]
        self._seen = {face.id: seen for face, (seen, _) in zip(faces, found, strict=True)}
        self._turn += 1
        self._keeps.append((self._turn, {face.id: keep for face, (_, keep) in zip(faces, found, strict=True)}))
        return [Crop(np.asarray(cv2.convertScaleAbs(s.image), np.uint8), s.to_crop) for s, _ in found], self._turn

    def drawings(self, faces: list[Face], turn: int, drawn: list[U8]) -> list[U8]:
        """The average drawings, (h, w, 4) uint8 RGBA. Turns may be left out, their frames dropped; never go back."""
        turns = []
        while self._keeps and self._keeps[0][0] <= turn:
            turns.append(self._keeps.popleft()[1])
        whole, self._last = len(turns) == turn - self._last, turn
        shown = {}
        for face, drawing in zip(faces, drawn, strict=True):
            now, before = drawing.astype(np.float32), self._drawn.get(face.id)
            # what stays of a drawing stayed of every crop since
            if before is not None and before.shape == now.shape and whole and all(face.id in t for t in turns):
                keep: F32 = np.asarray(reduce(np.multiply, [t[face.id] for t in turns]), np.float32)
                now = _mix(now, before, keep * _stands(now, before))
            shown[face.id] = now
        self._drawn = shown
        return [np.asarray(cv2.convertScaleAbs(shown[face.id]), np.uint8) for face in faces]

    def _average(self, face: Face, cut: Crop) -> tuple[_Seen, F32]:
        """What is seen now, and how much of the drawing before stays, (h, w)."""
        grey = cv2.blur(cv2.cvtColor(cut.image, cv2.COLOR_RGB2GRAY), (GRAIN, GRAIN)).astype(np.float32)
        now = _Seen(cut.to_crop, cut.image.astype(np.float32), grey, np.zeros_like(grey))
        before = self._seen.get(face.id)
        # what was seen elsewhere must not stand in a crop that was moved
        if before is None or not np.array_equal(before.to_crop, now.to_crop):
            return now, np.zeros_like(grey)
        now.change = np.asarray(cv2.max(cv2.absdiff(grey, before.grey), before.change * FADE), np.float32)
        levels = cv2.convertScaleAbs(now.change, alpha=1 / _detail(grey))
        features = _features(face, cut)
        keep = _mix(cv2.LUT(levels, REST.crop), cv2.LUT(levels, FEATURES.crop), features)
        now.image, now.grey = _mix(now.image, before.image, keep), _mix(now.grey, before.grey, keep)
        return now, _mix(cv2.LUT(levels, REST.drawing), cv2.LUT(levels, FEATURES.drawing), features)


def _stands(now: F32, before: F32) -> F32:
    """(h, w) float32: 1 where the matte of (h, w, 4) is as it was, GHOST where somebody came or left."""
    moved = cv2.absdiff(now[..., 3], before[..., 3])
    return np.asarray(np.clip((MATTE[1] - moved) / (MATTE[1] - MATTE[0]), GHOST, 1), np.float32)


def _mix(now: Any, before: Any, keep: F32) -> F32:
    """``keep`` of before, the rest of now."""
    cover = keep if now.ndim == 2 else cv2.merge([keep] * now.shape[2])
    return np.asarray(cv2.add(now, cv2.multiply(cv2.subtract(before, now), cover)), np.float32)


def _detail(grey: F32) -> float:
    """How much there is to see in the middle of a crop, .6 to 1."""
    h, w = grey.shape
    middle = grey[h // 4 : 3 * h // 4, w // 4 : 3 * w // 4]
    return float(np.clip(np.abs(cv2.Laplacian(middle, cv2.CV_32F, ksize=5)).mean() / DETAIL, 0.6, 1))


def _features(face: Face, cut: Crop) -> F32:
    """(h, w) float32: 1 where eyes, nose and mouth are in the crop, 0 elsewhere, soft between."""
    mask = np.zeros(cut.image.shape[:2], np.float32)
    right, left, nose, mouth = (cut.to_crop @ (*point, 1) for point in face.keypoints[:4].astype(np.float64))
    unit = max(math.hypot(*(left - right)), math.hypot(*(mouth - (right + left) / 2)))
    turn = math.degrees(math.atan2(left[1] - right[1], left[0] - right[0]))
    for (x, y), wide, high in ((right, 0.4, 0.3), (left, 0.4, 0.3), (nose, 0.36, 0.36), (mouth, 0.66, 0.54)):
        axes = (round(wide * unit), round(high * unit))
        cv2.ellipse(mask, (round(x), round(y)), axes, turn, 0, 360, (1.0,), -1)
    side = 2 * round(0.08 * unit) + 1
    return np.asarray(cv2.blur(mask, (side, side)), np.float32)
