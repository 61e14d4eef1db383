"""A soft ink wash: the engraver's lines over layers of diluted ink, each with the darker rim that drying leaves.

Layers as in Bousseau et al., "Interactive Watercolor Rendering with Temporal Coherence and Abstraction" (NPAR 2006,
sections 3.1-3.2), reduced to tone: soft posterisation and edge darkening by the gradient's strength.
"""

from __future__ import annotations

import cv2
import numpy as np

from streamtoon.types import F32, U8
from train.shapes import Contours, ramp
from train.teachers import ink

INK_LAYERS = ((0.06, 0.22), (0.26, 0.24), (0.52, 0.26), (0.78, 0.22))  # (coverage it begins at, ink it adds)


def draw(image: U8, mask: U8, contours: Contours | None) -> U8:
    """(h, w, 3) uint8 RGB, (h, w) uint8 person mask, face contours in px -> (h, w) uint8 drawing, 255 is paper."""
    coverage = ink.tone(image, mask, contours)
    lines, white = ink.with_lines(np.zeros_like(coverage), image, mask, contours)
    dark = np.maximum(layers(np.asarray(cv2.GaussianBlur(coverage, (0, 0), 2.0), np.float32)), 0.85 * lines)
    drawn = cv2.resize(255 * (1 - dark * (1 - 0.6 * white)), image.shape[1::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(np.clip(drawn + 0.5, 0, 255), np.uint8)


def layers(coverage: F32) -> F32:
    """Ink coverage 0..1 -> darkness 0..1 in soft steps with darker rims."""
    dark = np.zeros_like(coverage)
    for begin, amount in INK_LAYERS:
        dark += amount * ramp(coverage, begin, begin + 0.12)
    rim = np.clip(dark - cv2.GaussianBlur(dark, (0, 0), 5.0), 0, 0.2)
    return np.asarray(np.clip(dark + 0.6 * rim, 0, 1), np.float32)
