"""Where the drawing of a head stands: the person, the face, the soft border of a crop."""

from __future__ import annotations

from functools import cache
from typing import Final

import cv2
import numpy as np

from streamtoon.pipeline.crop import Affine, square, view
from streamtoon.pipeline.landmarks import Landmarks
from streamtoon.pipeline.person_matte import PersonMatte
from streamtoon.types import U8, Crop, Face, Frame, Region, Style

# a net's matte leans to the person, so that heads have no holes; its faint outer rim would show as a halo
RIM_LEVELS: Final = np.clip((np.arange(256) - 96) * 255 / 159, 0, 255).round().astype(np.uint8)


class HeadMattes:
    """Crops and drawings of a frame's heads -> where the drawings stand. Holds the network that says so.

    Region "face" asks the landmarks; "head" asks where people are, or the drawing's own alpha in a style that wants it.
    """

    def __init__(self, style: Style, region: Region, oval_scale: float) -> None:
        """``oval_scale``: how much larger than a face the oval is that is drawn in any case. Raises ModelError."""
        self._margin, self._size = style.margin, style.size
        self._oval = oval(style.size, style.margin / oval_scale)
        self._landmarks = Landmarks() if region == "face" else None
        self._person = PersonMatte() if region == "head" and style.matte == "model" else None

    def __call__(self, frame: Frame, faces: list[Face], cuts: list[Crop], drawn: list[U8]) -> list[U8]:
        """(size, size) uint8 for each face: 255 where its drawing, (size, size, 4) uint8 RGBA, stands over its crop."""
        uprights = [square(face, self._margin, self._size) for face in faces]
        if self._landmarks is not None:
            return [self._hull(self._landmarks, *pair) for pair in zip(cuts, uprights, strict=True)]
        if self._person is not None:
            self._person.begin(frame)
            people = self._person.on_crops(view(frame), frame.width, cuts)
        else:
            people = [np.asarray(cv2.LUT(cv2.extractChannel(d, 3), RIM_LEVELS), np.uint8) for d in drawn]
        # a face that was found is drawn, even where the matte sees no person
        return [
            np.asarray(cv2.max(person, _move(self._oval, upright, cut.to_crop)), np.uint8)
            for person, upright, cut in zip(people, uprights, cuts, strict=True)
        ]

    def _hull(self, landmarks: Landmarks, cut: Crop, upright: Affine) -> U8:
        hull = landmarks.hull(_move(cut.image, cut.to_crop, upright), self._margin)
        return _move(hull, upright, cut.to_crop)

    def close(self) -> None:
        """Free the network."""
        if self._person is not None:
            self._person.close()


@cache
def feather(size: int, width: float) -> U8:
    """(size, size) uint8: 255 inside, falling smoothly to 0 over ``width`` parts of the side at the border."""
    position = (np.arange(size) + 0.5) / size
    ramp = np.clip(np.minimum(position, 1 - position) / width, 0, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)
    return np.asarray(np.minimum.outer(ramp, ramp) * 255 + 0.5, np.uint8)


@cache
def oval(size: int, margin: float) -> U8:
    """(size, size) uint8: 255 on the middle of a face as ``crop.square`` places it, soft towards its outline."""
    mask = np.zeros((size, size), np.uint8)
    unit = size / margin  # px of one face size
    middle = (round(size / 2), round(size / 2 + 0.06 * unit))
    cv2.ellipse(mask, middle, (round(0.45 * unit), round(0.55 * unit)), 0, 0, 360, (255,), -1, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.05 * unit), np.uint8)


def _move(picture: U8, was: Affine, now: Affine) -> U8:
    """(size, size, ...) of one crop of a frame as another crop would show it; both affines frame px -> crop px."""
    shift = now @ np.vstack([cv2.invertAffineTransform(was), [0, 0, 1]])
    return np.asarray(cv2.warpAffine(picture, shift, picture.shape[1::-1]), np.uint8)
