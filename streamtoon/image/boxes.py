"""Box arithmetic."""

from __future__ import annotations

import numpy as np

from streamtoon.types import F32


def overlap(a: F32, b: F32) -> float:
    """Intersection over union of two boxes (4,)."""
    width, height = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    if width <= 0 or height <= 0:
        return 0.0
    both = float(width * height)
    return both / (float(np.prod(a[2:] - a[:2])) + float(np.prod(b[2:] - b[:2])) - both)
