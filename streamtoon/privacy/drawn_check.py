"""Whether an engine's answer hides what was photographed: an answer of nothing, or of the photograph, does not."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from streamtoon.types import U8, Crop

MIN_DIFFERENCE_LEVELS: Final = 6.0  # least mean difference between a drawing and its crop over the face, grey levels
MIN_DEVIATION_LEVELS: Final = 2.0  # least standard deviation of a drawing there, grey levels: less is an empty sheet
MAX_UNCOVERED_SHARE: Final = 0.1  # of a face, where a style lets more of the camera's picture through than it draws


def hides_face(cut: Crop, drawn: U8) -> bool:
    """Whether ``drawn``, (h, w, 4) uint8 RGBA, is a drawing over the face of ``cut``, neither empty nor the photo."""
    h, w = cut.image.shape[:2]
    face = np.s_[round(0.3 * h) : round(0.75 * h), round(0.3 * w) : round(0.7 * w)]
    drawing = np.ascontiguousarray(drawn[face][..., :3])
    changed = float(cv2.absdiff(drawing, np.ascontiguousarray(cut.image[face])).mean()) >= MIN_DIFFERENCE_LEVELS
    return changed and float(drawing.std()) >= MIN_DEVIATION_LEVELS


def differs_from_photo(scene: list[Crop], drawn: list[U8]) -> bool:
    """Whether a drawn scene, (h, w, 4) uint8 RGBA a tile, is something else than its photograph; True without tiles.

    The mean over all tiles counts: one alone may be a wall as white as paper.
    """
    changes = [
        float(cv2.absdiff(np.ascontiguousarray(d[..., :3]), c.image).mean()) for c, d in zip(scene, drawn, strict=True)
    ]
    return not changes or float(np.mean(changes)) >= MIN_DIFFERENCE_LEVELS


def uncovered_share(on_white: U8, on_black: U8, face: U8) -> float:
    """Share, 0..1, of a face where more of the camera's picture shows than of the drawing.

    on_white, on_black: (h, w, 3), one drawing blended over a white and over a black frame; where they differ is the
    camera's picture. face: (h, w), above 127 on the face.
    """
    camera = (on_white.astype(int) - on_black).mean(axis=2)
    return float((camera[face > 127] > 127).mean())
