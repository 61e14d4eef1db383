"""Steady pictures for a network: a motion-gated running average of its input.

A network answers the sensor's noise with strokes that shimmer. Where a picture is about what it was, noise is averaged
away before it is drawn; where something moves, the newest picture alone is taken, so nothing trails and strokes stay
crisp. What counts is change over GRAIN_PX: noise cancels there, and slow changes add up against the average until they
pass.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np

from streamtoon.types import F32, U8

GRAIN_PX: Final = 6  # over which change is averaged before it is judged
KEEP: Final = 0.85  # weight of the average where nothing changes
STILL_LEVELS: Final = 2.0  # of change, up to which the average keeps its weight
MOVING_LEVELS: Final = 8.0  # of change, from which on only the newest counts
NEXT_TO: Final = np.ones((3, 3), np.uint8)  # a change counts beside it too: where an edge passes it cancels out
BAND_ROWS: Final = 32  # averaged at a time: what is made on the way stays in the processor's cache
CHANGE_DECAY: Final = 0.55  # share of a change that still counts a picture later: nothing old stays in what moved
WEIGHTS: Final = (KEEP * np.clip((MOVING_LEVELS - np.arange(256)) / (MOVING_LEVELS - STILL_LEVELS), 0, 1)).astype(
    np.float32
)  # of the average, by grey levels of change


class InputFilter:
    """Remembers the average of one picture; call once a frame in order of time."""

    def __init__(self) -> None:
        self._average: F32 | None = None  # (h, w, 3)
        self._seen: Any = None  # (h / 2, w / 2, 3) uint8: the average without its grain
        self._change: Any = None  # (h / 2, w / 2) uint8: levels by which a picture was away from it

    def __call__(self, picture: U8) -> U8:
        """The average with (h, w, 3) uint8 RGB in it; a picture of another size begins anew."""
        average, seen = self._average, _smooth(picture)
        if average is None or average.shape != picture.shape:
            self._average, self._seen = picture.astype(np.float32), seen
            self._change = np.zeros(seen.shape[:2], np.uint8)
            return picture
        red, green, blue = cv2.split(cv2.absdiff(seen, self._seen))
        still_counts = cv2.convertScaleAbs(self._change, alpha=CHANGE_DECAY)
        change = cv2.max(cv2.max(red, green), blue)
        self._change = cv2.max(cv2.dilate(change, NEXT_TO), still_counts)
        keep = cv2.resize(cv2.LUT(self._change, WEIGHTS), (picture.shape[1], picture.shape[0]))
        steady = np.empty_like(picture)
        for row in range(0, len(picture), BAND_ROWS):
            band = slice(row, row + BAND_ROWS)
            newest = picture[band].astype(np.float32)
            away = cv2.subtract(average[band], newest)
            cv2.multiply(away, cv2.merge([keep[band]] * 3), dst=away)
            cv2.add(newest, away, dst=average[band])
            cv2.convertScaleAbs(average[band], dst=steady[band])
        self._seen = _smooth(steady)
        return steady

    def forget(self) -> None:
        """The next picture has nothing to do with those before."""
        self._average = None


def _smooth(picture: U8) -> Any:
    """Half as large, (h / 2, w / 2, 3) uint8, without grain."""
    half = (max(1, picture.shape[1] // 2), max(1, picture.shape[0] // 2))
    return cv2.blur(cv2.resize(picture, half, interpolation=cv2.INTER_AREA), (GRAIN_PX // 2, GRAIN_PX // 2))
