"""How much two pictures differ as a whole: what tells a cut, or one shot's frames from unrelated photographs."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from streamtoon.types import U8

THUMBNAIL_PX: Final = (32, 18)  # width and height


def thumbnail(picture: U8) -> U8:
    """(h, w, 3) uint8 of any size shrunk to (18, 32, 3) by averaging areas."""
    return np.asarray(cv2.resize(picture, THUMBNAIL_PX, interpolation=cv2.INTER_AREA), np.uint8)


def difference(one: U8, other: U8) -> float:
    """Mean absolute difference of two thumbnails, grey levels."""
    return float(cv2.absdiff(one, other).mean())
