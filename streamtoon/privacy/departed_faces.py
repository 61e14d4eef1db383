"""Faces that left at the border of the frame: detectors lose a face long before the last of it is out of sight.

Where the camera's picture stays around the drawing, such a face is covered where it was last, until a face is found
there again: nobody knows whether half of it is still there. A patch of paper that stays at the border is the price.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from streamtoon.image.boxes import overlap
from streamtoon.types import Face, Frame

BORDER_FACE_WIDTHS: Final = 0.75  # from the frame's border: a face that is lost nearer to it is taken to leave
MIN_RETURN_OVERLAP: Final = 0.1  # intersection over union above which a face that is found is the one that left


class DepartedFaces:
    """Remembers the faces that were lost at the border; call once a frame in order of time."""

    def __init__(self) -> None:
        self._before: list[Face] = []
        self._gone: list[Face] = []

    def forget(self) -> None:
        """The next frame has nothing to do with those before."""
        self._before, self._gone = [], []

    def __call__(self, faces: list[Face], frame: Frame) -> list[Face]:
        """The faces that left, as they were seen last."""
        here = {face.id for face in faces}
        lost = [f for f in self._before if f.id not in here and _leaves(f, frame)]
        found = [f for f in faces if f.found]
        gone = [*self._gone, *lost]
        self._gone = [g for g in gone if not any(overlap(g.box, f.box) > MIN_RETURN_OVERLAP for f in found)]
        self._before = faces
        return self._gone


def _leaves(face: Face, frame: Frame) -> bool:
    near = BORDER_FACE_WIDTHS * float(face.box[2] - face.box[0])
    end = np.array([frame.width, frame.height])
    return bool(np.any(face.box[:2] < near) or np.any(face.box[2:] > end - near))
