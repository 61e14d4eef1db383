"""The fake that ships: gives every picture back. For tests of everything but drawing."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from engines import U8, Engine, EngineError, Network, check_pictures, openvino_core
from engines.about import About

ABOUT = About(rank=50)


class Echo:
    """Gives every crop back, opaque; every whole picture enlarged, as I420."""

    name = "echo"
    device = "none"

    def __init__(self, network: Network | None) -> None:
        self.network = network

    def __call__(self, pictures: U8) -> U8:
        """uint8 (N, h, w, 3) RGB -> the same with alpha 255, or as planes."""
        if self.network is None or not self.network.whole_picture:
            check_pictures(pictures, None)
            return np.concatenate([pictures, np.full((*pictures.shape[:3], 1), 255, np.uint8)], axis=3)
        self.network.check(pictures)
        return np.stack([_planes(one, self.network.scale) for one in pictures])

    def close(self) -> None:
        """Nothing to free."""


def _planes(picture: U8, scale: int) -> U8:
    """uint8 (h, w, 3) RGB -> uint8 (scale * h * 3 / 2, scale * w): BT.601, full range, as I420 lays planes out."""
    h, w = scale * picture.shape[0], scale * picture.shape[1]
    large = cv2.resize(picture, (w, h), interpolation=cv2.INTER_LINEAR)
    y, v, u = cv2.split(cv2.cvtColor(large, cv2.COLOR_RGB2YCrCb))
    halves = (cv2.resize(plane, (w // 2, h // 2), interpolation=cv2.INTER_AREA) for plane in (u, v))
    planes = [y, *(half.reshape(-1, w) for half in halves)]
    return np.asarray(np.concatenate(planes), np.uint8)


def load(onnx_path: Path, option: str | None = None, *, threads: int = 1) -> Engine:
    """The echo engine. What the file maps is read where it can be; otherwise it echoes crops."""
    del option, threads
    try:
        return Echo(openvino_core.read(onnx_path)[1])
    except EngineError:
        return Echo(None)
