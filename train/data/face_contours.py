"""Contours of a face out of the live program's face mesh: the teachers draw lids and lips by them."""

from __future__ import annotations

from typing import Final

from streamtoon.pipeline.landmarks import Landmarks
from streamtoon.types import U8
from train.shapes import Contours

# indices into MediaPipe's canonical face mesh (Kartynnik et al., arXiv 1907.06724), in order around each contour
CONTOUR_POINTS: Final = {
    "lips": "61 146 91 181 84 17 314 405 321 375 291 409 270 269 267 0 37 39 40 185",
    "mouth": "78 95 88 178 87 14 317 402 318 324 308 415 310 311 312 13 82 81 80 191",
    "right_eye": "33 7 163 144 145 153 154 155 133 173 157 158 159 160 161 246",
    "left_eye": "263 249 390 373 374 380 381 382 362 398 384 385 386 387 388 466",
    "oval": "10 338 297 332 284 251 389 356 454 323 361 288 397 365 379 378 400 377 152 148 176 149 150 136 172 58 132 "
    "93 234 127 162 21 54 103 67 109",
}


def contours(landmarks: Landmarks, image: U8, margin: float) -> Contours | None:
    """(size, size, 3) uint8 RGB crop -> {name: (n, 2) float32 px}, names as in CONTOUR_POINTS; None without a face."""
    points = landmarks(image, margin)
    if points is None:
        return None
    return {name: points[[int(i) for i in order.split()]] for name, order in CONTOUR_POINTS.items()}
