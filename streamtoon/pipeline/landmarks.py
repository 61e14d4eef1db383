"""Crop -> face landmarks."""

from __future__ import annotations

from typing import Final

import numpy as np

from engines import openvino_core
from streamtoon.pipeline import face_models
from streamtoon.types import F32, U8


class Landmarks:
    """Crop image -> MediaPipe's 468-point face mesh (Kartynnik et al., arXiv 1907.06724); region "face" needs it.

    Run by OpenVINO, without MediaPipe: see ``blaze_face``.
    """

    INPUT_PX: Final = 192  # side of the upright square that the network takes
    INPUT_FACE_SIZES: Final = 1.65  # the same side in face sizes (see crop.square): one and a half face boxes

    def __init__(self) -> None:
        self._request = openvino_core.face_network(face_models.path("face_landmark.tflite"))

    def __call__(self, image: U8, margin: float) -> F32 | None:
        """(468, 2) float32, px of ``image``; None where the network sees no face.

        image: (size, size, 3) uint8 RGB, a crop made by ``crop.crop`` with ``margin``.
        """
        import cv2

        size = image.shape[0]
        side = size * self.INPUT_FACE_SIZES / margin
        corner = np.array([size / 2, size * (0.5 + 0.07 / margin)]) - side / 2
        scale = self.INPUT_PX / side
        affine = np.column_stack([np.eye(2) * scale, -corner * scale])
        part = cv2.warpAffine(image, affine, (self.INPUT_PX, self.INPUT_PX), borderMode=cv2.BORDER_REPLICATE)
        self._request.infer([(part[None] / 255).astype(np.float32)])
        mesh, presence = (self._request.get_output_tensor(i).data.ravel() for i in (0, 1))
        if presence[0] < 0:
            return None
        points: F32 = (mesh.reshape(468, 3)[:, :2] / scale + corner).astype(np.float32)
        return points

    def hull(self, image: U8, margin: float) -> U8:
        """(size, size) uint8: 255 inside the landmarks' convex hull, softly; everywhere where no mesh was found.

        A face the detector saw and the mesh did not is still a face: it is covered whole.
        """
        import cv2

        points = self(image, margin)
        if points is None:
            return np.full(image.shape[:2], 255, np.uint8)
        mask = np.zeros(image.shape[:2], np.uint8)
        cv2.fillConvexPoly(mask, cv2.convexHull(points).round().astype(np.int32), (255,), cv2.LINE_AA)
        return np.asarray(cv2.GaussianBlur(mask, (0, 0), image.shape[0] / 80))
