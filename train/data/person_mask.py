"""Photo -> where the person is, by selfie segmentation alone: for training photos, each by itself."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from streamtoon.pipeline.person_matte import NET_PX, compiled
from streamtoon.types import U8


class PersonMask:
    """RGB picture -> where the person is, by the network of ``PersonMatte`` without what it does besides."""

    def __init__(self) -> None:
        """Compile it for one thread. Raises ModelError where its file is damaged."""
        self._request: Any = compiled(threads=1)

    def __call__(self, picture: U8) -> U8:
        """(h, w, 3) uint8 RGB -> (h, w) uint8, 255 on the person."""
        self._request.infer([cv2.resize(picture, (NET_PX, NET_PX))[None]])
        mask = cv2.resize(self._request.get_output_tensor(0).data, picture.shape[1::-1])
        return np.asarray(mask * 255 + 0.5, np.uint8)

    def close(self) -> None:
        """Free the network."""
        self._request = None
