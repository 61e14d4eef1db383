"""Steady drawings: a running average in crop space where nothing moves, none where something does.

A crop rides with its face, so a head at rest gives the same crop again and again but for the sensor's noise, and a net
answers noise with strokes that shimmer. Where the crop has not changed by more than that noise the drawing (and its
matte) moves only a part of the way to the new one; where it has changed the new drawing stands at once. Ungated
averaging would blur and trail.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from streamtoon.types import U8, Crop

KEEP: Final = 0.8  # of the drawing before, where nothing moves
NOISE: Final = 2.5  # change of a crop below which nothing moves, grey levels; camera noise after the blur
MOTION: Final = 7.0  # change from which everything is new
GRAIN: Final = 7  # px over which change is looked at
# by grey levels of change: how much of the drawing before stays, (256,) uint8
GATE: Final = np.asarray(255 * KEEP * np.clip((MOTION - np.arange(256)) / (MOTION - NOISE), 0, 1) + 0.5, np.uint8)


@dataclass(slots=True)
class _Memory:
    grey: U8  # (h, w), of the crop before
    drawn: U8  # (h, w, 4), what was shown then


class Steady:
    """Remembers one drawing a face; call once a frame with all faces' crops and drawings."""

    def __init__(self) -> None:
        self._memory: dict[int, _Memory] = {}

    def __call__(self, ids: list[int], crops: list[Crop], drawn: list[U8]) -> list[U8]:
        """(h, w, 4) uint8 RGBA for each face; faces not among ``ids`` are forgotten."""
        shown = [self._steady(i, c, d) for i, c, d in zip(ids, crops, drawn, strict=True)]
        self._memory = {i: self._memory[i] for i in ids}
        return shown

    def _steady(self, key: int, cut: Crop, drawn: U8) -> U8:
        grey = np.asarray(cv2.blur(cv2.cvtColor(cut.image, cv2.COLOR_RGB2GRAY), (GRAIN, GRAIN)), np.uint8)
        before = self._memory.get(key)
        if before is not None and before.drawn.shape == drawn.shape:
            change = cv2.absdiff(grey, before.grey)
            keep = cv2.LUT(change, GATE)  # (h, w) uint8
            cover = cv2.merge([keep] * 4)
            drawn = np.asarray(
                cv2.add(
                    cv2.multiply(before.drawn, cover, scale=1 / 255),
                    cv2.multiply(drawn, cv2.bitwise_not(cover), scale=1 / 255),
                ),
                np.uint8,
            )
        self._memory[key] = _Memory(grey, drawn)
        return drawn
