"""Faces from frame to frame: track ids, steady keypoints, a short memory; forgotten on a cut.

The filter is the 1 Euro filter (Casiez, Roussel, Vogel, CHI 2012): a low-pass whose cutoff rises with speed, so a
head at rest does not jitter and a turning head does not trail. Speeds are measured in face widths a second, so
near and far faces are treated alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

import numpy as np
import numpy.typing as npt

from streamtoon.image import shots
from streamtoon.image.boxes import overlap
from streamtoon.privacy.policy import COAST_SECONDS
from streamtoon.types import F32, U8, Face

MIN_CUTOFF_HZ: Final = 1.2  # of a face at rest
CUTOFF_HZ_PER_SPEED: Final = 6.0  # added for each face width a second; the paper's beta
SPEED_CUTOFF_HZ: Final = 2.0  # of the speed itself
MIN_TRACK_OVERLAP: Final = 0.1  # intersection over union of a face and the track it continues
MAX_GAP_SECONDS: Final = 1.0  # between two frames of which the later still says something about the earlier
CUT_GREY_LEVELS: Final = 30.0  # mean difference of the thumbnails of two frames beyond which there was a cut

F64 = npt.NDArray[np.float64]


@dataclass(slots=True, eq=False)
class _Track:
    face: Face
    points: F64  # (8, 2): smoothed keypoints and box corners
    speed: F64  # (8, 2): px a second, smoothed
    seen: Fraction  # seconds


class FaceTracker:
    """Gives faces their ids and steadies them. One instance a stream; call once a frame in order of time.

    cut  whether the newest picture has nothing to do with the one before
    """

    def __init__(self, coast: Fraction = COAST_SECONDS) -> None:
        self.cut = False
        self._coast = coast
        self._tracks: list[_Track] = []
        self._next = 0
        self._last: U8 | None = None
        self._now: Fraction | None = None

    def forget(self) -> None:
        """The next frame has nothing to do with those before. Ids go on: none is given to two faces."""
        self._tracks, self._last, self._now = [], None, None

    def __call__(self, faces: list[Face], seconds: Fraction, picture: U8) -> list[Face]:
        """Faces with ids and smoothed points; those missed for at most ``coast`` seconds are still among them.

        picture: the frame's ``crop.view``, (h, w, 3) uint8, in which cuts are seen.
        """
        small = shots.thumbnail(picture)
        elapsed = 0.0 if self._now is None else float(seconds - self._now)
        self.cut = self._last is not None and shots.difference(small, self._last) > CUT_GREY_LEVELS
        if self.cut or not 0 <= elapsed <= MAX_GAP_SECONDS:
            self._tracks = []
        self._last, self._now = small, seconds
        free = list(self._tracks)
        tracks = []
        for face in faces:
            known = max(free, key=lambda t: overlap(t.face.box, face.box), default=None)
            if known is not None and overlap(known.face.box, face.box) > MIN_TRACK_OVERLAP:
                free.remove(known)
                tracks.append(_follow(known, face, seconds))
            else:
                tracks.append(_Track(replace(face, id=self._next), _points(face), np.zeros((8, 2)), seconds))
                self._next += 1
        self._tracks = tracks + [t for t in free if seconds - t.seen <= self._coast]
        return [t.face for t in tracks] + [replace(t.face, found=False) for t in self._tracks[len(tracks) :]]


def _points(face: Face) -> F64:
    return np.concatenate([face.keypoints, face.box.reshape(2, 2)]).astype(np.float64)


def _follow(track: _Track, face: Face, seconds: Fraction) -> _Track:
    elapsed = float(seconds - track.seen)
    if elapsed <= 0:
        return track
    raw = _points(face)
    width = max(float(raw[7, 0] - raw[6, 0]), 1.0)
    speed = track.speed + _alpha(SPEED_CUTOFF_HZ, elapsed) * ((raw - track.points) / elapsed - track.speed)
    # one cutoff for the whole face: points that are filtered apart would bend it
    pace = float(np.median(np.linalg.norm(speed[:6], axis=1))) / width
    points = track.points + _alpha(MIN_CUTOFF_HZ + CUTOFF_HZ_PER_SPEED * pace, elapsed) * (raw - track.points)
    keypoints: F32 = points[:6].astype(np.float32)
    box: F32 = points[6:].reshape(4).astype(np.float32)
    return _Track(Face(box, keypoints, face.score, track.face.id), points, speed, seconds)


def _alpha(cutoff: float, elapsed: float) -> float:
    """Weight of the new value in a first-order low-pass of ``cutoff`` Hz after ``elapsed`` seconds."""
    return 1 / (1 + 1 / (2 * math.pi * cutoff * elapsed))
