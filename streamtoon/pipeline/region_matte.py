"""Where the drawing of a whole picture stands: people, their heads, or their faces."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np

from streamtoon.pipeline.crop import Affine, crop, square
from streamtoon.pipeline.landmarks import Landmarks
from streamtoon.pipeline.matte import feather, oval
from streamtoon.pipeline.person_matte import PersonMatte
from streamtoon.privacy.policy import Policy
from streamtoon.types import U8, Face, Frame, Style

CORE_SCALE: Final = 0.75  # of a face that was found, its middle: drawn whatever the matte says, and never beside it
HEAD_FACES: Final = 2.6  # face sizes across the square that a head is drawn in, at least: less cuts hair off flat


class RegionMatte:
    """Frame, faces and the network's input -> matte of the drawn picture. Holds the networks that say so."""

    def __init__(self, style: Style, policy: Policy) -> None:
        """Raises ModelError."""
        self._size, self._region = style.size, policy.region
        self._margin = max(style.margin, HEAD_FACES) if policy.region == "head" else style.margin
        self._feather = feather(style.size, style.feather)
        # a face that was found is drawn even where the matte sees no person; before paper it would be no better
        always = policy.region == "head" or policy.background == "keep"
        scale = policy.oval_scale if policy.careful else CORE_SCALE
        self._oval = oval(style.size, self._margin / scale) if always else None
        self._landmarks = Landmarks() if policy.region == "face" else None
        self._person = PersonMatte() if policy.region != "face" else None

    def __call__(self, frame: Frame, faces: list[Face], picture: U8, luma: U8) -> U8:
        """(h, w) uint8, 255 where the drawing stands.

        picture  (h', w', 3) uint8 RGB, the whole frame, small
        luma     (h, w) uint8, the frame's in the size of the drawn picture
        """
        h, w = luma.shape
        to_frame = np.diag([frame.width / w, frame.height / h, 1.0])
        places = [square(face, self._margin, self._size) for face in faces]
        affines = [place @ to_frame for place in places]
        if self._landmarks is not None:
            cuts = [crop(frame, place, self._size).image for place in places]
            hulls = [self._landmarks.hull(cut, self._margin) for cut in cuts]
            return _sheet(luma, affines, [np.asarray(cv2.min(hull, self._feather), np.uint8) for hull in hulls])
        matte = np.zeros_like(luma)
        if self._person is not None:
            self._person.begin(frame)
            matte = self._person(picture, luma, faces, frame.width)
        if self._region == "head":
            matte = np.asarray(cv2.min(matte, _sheet(luma, affines, [self._feather] * len(faces))), np.uint8)
        if self._oval is not None:
            matte = np.asarray(cv2.max(matte, _sheet(luma, affines, [self._oval] * len(faces))), np.uint8)
        return matte

    def close(self) -> None:
        """Free the networks."""
        if self._person is not None:
            self._person.close()


def _sheet(luma: U8, affines: list[Affine], masks: list[U8]) -> U8:
    """(h, w) uint8 of the shape of ``luma``: the largest of ``masks`` under ``affines``, its px -> their px."""
    sheet = np.zeros_like(luma)
    for affine, mask in zip(affines, masks, strict=True):
        h, w = mask.shape
        corners = cv2.invertAffineTransform(affine) @ np.array([[0, w, 0, w], [0, 0, h, h], [1, 1, 1, 1]], np.float64)
        (x0, y0), (x1, y1) = (
            np.clip(edge, 0, luma.shape[::-1]).astype(int)
            for edge in (np.floor(corners.min(axis=1)), np.ceil(corners.max(axis=1)) + 1)
        )
        if x0 >= x1 or y0 >= y1:
            continue
        shifted = affine.copy()
        shifted[:, 2] += affine[:, :2] @ (x0, y0)
        warped: Any = cv2.warpAffine(
            mask, shifted, (int(x1 - x0), int(y1 - y0)), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )
        part = sheet[y0:y1, x0:x1]
        part[:] = cv2.max(part, warped)
    return sheet
