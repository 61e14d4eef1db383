"""Where crops stand from frame to frame: a dead zone, as an auto-framing camera has it.

A network answers every fraction of a pixel with other strokes, and hatching is fixed to the crop: where a crop trembles
the whole drawing does. So a crop stays while the head moves within the dead zone. When the head leaves it, the crop
moves half the way to the head in one frame and is drawn anew: following slowly would make all strokes swim.
"""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from streamtoon.pipeline.crop import Affine, square
from streamtoon.types import Face

MAX_SHIFT: Final = 0.15  # of the crop's side that a head may be off the middle, as long as its face is well inside
MAX_LOG_ZOOM: Final = 0.25  # natural logarithm of how much larger or smaller it may be
MAX_ROTATION: Final = 0.25  # radians it may be tilted

BORDER_START: Final = 0.4  # of the side from the middle, where the soft border begins at the latest
FACE_REACH: Final = 0.61  # face sizes from the middle of a square to the far end of matte.oval

F64 = npt.NDArray[np.float64]


class CropStabilizer:
    """Remembers one crop a face; call once a frame with all faces."""

    def __init__(self, margin: float, size: int) -> None:
        self._margin, self._size = margin, size
        self._poses: dict[int, F64] = {}

    def __call__(self, faces: list[Face]) -> list[Affine]:
        """(2, 3) affine for each face, frame px -> crop px; faces not among them are forgotten."""
        self._poses = {face.id: self._follow(face) for face in faces}
        return [self._affine(self._poses[face.id]) for face in faces]

    def _follow(self, face: Face) -> F64:
        head = self._pose(square(face, self._margin, self._size))
        crop = self._poses.get(face.id)
        if crop is None:
            return head
        off = head - crop
        off[3] = math.remainder(off[3], math.tau)
        side = self._size / math.exp(crop[2])
        room = BORDER_START - FACE_REACH / self._margin * math.exp(-off[2])
        shift = math.hypot(off[0], off[1]) / side / max(min(MAX_SHIFT, room), 1e-9)
        beyond = max(shift, abs(off[2] / MAX_LOG_ZOOM), abs(off[3] / MAX_ROTATION))
        if beyond <= 1:
            return crop
        return crop + off / 2 if beyond <= 2 and room > MAX_SHIFT else head

    def _pose(self, affine: Affine) -> F64:
        """(4,): where the middle of the crop is in the frame, x and y in px; log of crop px a frame px; radians."""
        middle = cv2.invertAffineTransform(affine) @ ((self._size - 1) / 2, (self._size - 1) / 2, 1)
        zoom, turn = math.log(math.hypot(*affine[:, 0])), math.atan2(affine[1, 0], affine[0, 0])
        return np.array([*middle, zoom, turn])

    def _affine(self, pose: F64) -> Affine:
        scale = math.exp(pose[2])
        cos, sin = scale * math.cos(pose[3]), scale * math.sin(pose[3])
        rows = np.array([[cos, -sin], [sin, cos]])
        return np.column_stack([rows, (self._size - 1) / 2 - rows @ pose[:2]])
