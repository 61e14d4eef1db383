"""Picture -> faces, by BlazeFace (Bazarevsky et al., arXiv 1907.05047), run by OpenVINO.

The networks, their anchors and the way their answers are merged are those of MediaPipe's FaceDetector. MediaPipe itself
is not used: it looks up a host of its maker's whenever a detector is made, and offers no way to stop that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from engines import openvino_core
from streamtoon.pipeline import face_models
from streamtoon.types import F32, U8

MERGE_OVERLAP: Final = 0.3  # intersection over union above which two answers are about one face
KEYPOINTS: Final = 6  # right eye, left eye, nose, mouth, right ear, left ear: as the person has them


@dataclass(frozen=True, slots=True)
class Network:
    """A file, the side in px of the square it sees, and its anchors: (cells along a side, answers a cell)."""

    file: str
    side: int
    grids: tuple[tuple[int, int], ...]


SHORT_RANGE: Final = Network("face_detection_short_range.tflite", 128, ((16, 2), (8, 6)))
FULL_RANGE: Final = Network("face_detection_full_range_sparse.tflite", 192, ((48, 1),))


@dataclass(frozen=True, slots=True)
class Detection:
    """A face: score 0..1, box (4,) x0 y0 x1 y1 and keypoints (6, 2), float32 px of the picture it was found in."""

    score: float
    box: F32
    keypoints: F32


class BlazeFace:
    """One of the two networks, ready to be called; ``close`` frees it."""

    def __init__(self, network: Network, min_score: float) -> None:
        """Compile it for one thread. Raises ModelError where its file is not here and cannot be fetched."""
        self._side, self._min_score = network.side, min_score
        self._request: Any = openvino_core.face_network(face_models.path(network.file))
        self._anchors = np.concatenate([_centres(cells).repeat(answers, axis=0) for cells, answers in network.grids])

    def __call__(self, picture: U8) -> list[Detection]:
        """Faces of (h, w, 3) uint8 RGB, best first."""
        h, w = picture.shape[:2]
        long = max(h, w)
        corner = np.array([w - long, h - long]) / 2  # of the square that the network sees; what is beyond is black
        scale = self._side / long
        affine = np.column_stack([np.eye(2) * scale, -corner * scale])
        seen = cv2.warpAffine(picture, affine, (self._side, self._side))
        self._request.infer([seen[None].astype(np.float32) / np.float32(127.5) - 1])
        answers, logits = (self._request.get_output_tensor(i).data[0].astype(np.float64) for i in (0, 1))
        scores = 1 / (1 + np.exp(-logits[:, 0].clip(-100, 100)))
        sure = np.flatnonzero(scores >= self._min_score)
        points = answers[sure].reshape(-1, 2 + KEYPOINTS, 2) / self._side  # centre and size of the box, keypoints
        points[:, 0] += self._anchors[sure]
        points[:, 2:] += self._anchors[sure, None]
        half = points[:, 1] / 2
        points[:, 0], points[:, 1] = points[:, 0] - half, points[:, 0] + half
        found = ((score, (place * long + corner).astype(np.float32)) for score, place in _merged(scores[sure], points))
        return [Detection(score, place[:2].ravel(), place[2:]) for score, place in found]

    def close(self) -> None:
        """Free the network."""
        self._request = None


def _centres(cells: int) -> npt.NDArray[np.float64]:
    """(cells * cells, 2): the centres x, y of a square grid's cells, row by row, in parts of its side."""
    middle = (np.arange(cells) + 0.5) / cells
    return np.stack([np.tile(middle, cells), middle.repeat(cells)], axis=1)


def _merged(
    scores: npt.NDArray[np.float64], points: npt.NDArray[np.float64]
) -> list[tuple[float, npt.NDArray[np.float64]]]:
    """Answers about one face as their mean, weighted by score, under the best score; (n,) and (n, 8, 2), best first.

    points: corners of the box, then the keypoints.
    """
    order = np.argsort(-scores, kind="stable")
    scores, points = scores[order], points[order]
    merged = []
    while len(scores):
        low, high = points[:, 0], points[:, 1]
        common = (np.minimum(high, high[0]) - np.maximum(low, low[0])).clip(0).prod(axis=1)
        area = (high - low).prod(axis=1)
        same = common > MERGE_OVERLAP * (area + area[0] - common)
        same[0] = True  # also where the box is empty
        merged.append((float(scores[0]), np.average(points[same], axis=0, weights=scores[same])))
        scores, points = scores[~same], points[~same]
    return merged
