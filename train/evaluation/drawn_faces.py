"""What must survive in the faces of a drawn picture.

That they are faces, how far they open mouth and eyes, how light their skin is. Detector and landmarks are the live
program's, run on the photo and again on its drawing.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import cv2
import numpy as np
import torch

from engines import openvino_core
from foundation.errors import UsageError
from streamtoon.pipeline import crop
from streamtoon.pipeline.find import Finder, distinct
from streamtoon.pipeline.landmarks import Landmarks
from streamtoon.types import F32, U8, Face, Frame
from train.data.face_contours import contours
from train.evaluation import metrics
from train.evaluation.face_preservation import chin_and_cheeks, landmark_error
from train.shapes import Contours, polygon

CROP_PX: Final = 256  # side of a face's crop
MARGIN: Final = 2.2  # the same in face sizes
PARSER_PX: Final = 512  # side of the picture that the skin parser takes
IMAGENET: Final = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # mean and deviation of its RGB values 0..1
MIN_SKIN_SHARE: Final = 0.05  # of the face's oval; the parser is not believed where it sees less


class SkinParser:
    """Picture -> where skin is, by an ONNX network (1, 3, 512, 512) RGB -> (1, 3, 512, 512) maps, the first of skin."""

    def __init__(self, file: Path) -> None:
        """Raises UsageError where ``file`` is no such network."""
        try:
            network = openvino_core.core().read_model(file)
            compiled = openvino_core.core().compile_model(network, "CPU", {"INFERENCE_NUM_THREADS": 1})
            self._request = compiled.create_infer_request()
            self(np.zeros((8, 8, 3), np.uint8))
        except (RuntimeError, IndexError, cv2.error) as error:
            raise UsageError(f"skin parser {file} cannot be used: {str(error).splitlines()[0]}") from None

    def __call__(self, picture: U8) -> F32:
        """(h, w, 3) uint8 RGB -> (h, w) float32, 0..1."""
        small = cv2.resize(picture, (PARSER_PX, PARSER_PX), interpolation=cv2.INTER_LINEAR)
        unit = (small / np.float32(255) - np.array(IMAGENET[0])) / np.array(IMAGENET[1])
        self._request.infer([unit.transpose(2, 0, 1)[None].astype(np.float32)])
        skin = np.array(self._request.get_output_tensor(0).data[0, 0])
        return np.asarray(cv2.resize(skin, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.float32)


@dataclass(frozen=True, slots=True)
class Seen:
    """One face of a photo: the detector's, its upright crop (256, 256, 3), its contours and skin (256, 256) there."""

    face: Face
    image: U8
    contours: Contours
    skin: F32


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of one face in a drawing; each pair is (photo, drawing), nan where the drawing shows no landmarks.

    found  whether the detector finds it
    off    how far eyes and mouth are off, in parts of the distance between the eyes
    mouth  height of the open mouth in parts of its width
    eyes   the same, mean of both eyes
    skin   mean CIE lightness of its skin, 0..100; known in any case
    """

    found: bool
    off: float
    mouth: tuple[float, float]
    eyes: tuple[float, float]
    skin: tuple[float, float]


class FaceJudge:
    """Holds detector, landmarks and, if given, the skin parser; use as a context manager."""

    def __init__(self, parser: Path | None = None) -> None:
        """``parser``: ONNX file of a SkinParser; without it skin is looked at on the cheeks. Raises UsageError."""
        self._parser = None if parser is None else SkinParser(parser)
        self._landmarks = Landmarks()
        self._find = Finder()

    def faces(self, photo: U8) -> list[Seen]:
        """The faces of (h, w, 3) uint8 RGB that both detector and landmark network see."""
        seen = []
        for face in self._detected(photo):
            image = _crop(photo, face)
            there = contours(self._landmarks, image, MARGIN)
            if there is not None:
                seen.append(Seen(face, image, there, self._skin(image, there)))
        return seen

    def kept(self, seen: list[Seen], drawing: U8) -> list[Kept]:
        """What became of each face of a photo in its drawing, (h, w, 3) uint8 RGB of the same size."""
        again = self._detected(drawing) if seen else []
        return [
            self._kept(one, _crop(drawing, one.face), found=any(_same(one.face, other) for other in again))
            for one in seen
        ]

    def _kept(self, seen: Seen, image: U8, *, found: bool) -> Kept:
        skin = (_lightness(seen.image, seen.skin), _lightness(image, seen.skin))
        there = contours(self._landmarks, image, MARGIN)
        if there is None:
            nowhere = (float("nan"), float("nan"))
            return Kept(found, float("nan"), nowhere, nowhere, skin)
        was, now = openings(seen.contours), openings(there)
        return Kept(found, landmark_error(seen.contours, there), (was[0], now[0]), (was[1], now[1]), skin)

    def _skin(self, image: U8, found: Contours) -> F32:
        cheeks = chin_and_cheeks(image.shape[:2], found)[1]
        if self._parser is None:
            return cheeks
        oval = polygon(image.shape, found["oval"], 0)
        skin = oval * (self._parser(image) > 0.5)
        return np.asarray(skin, np.float32) if skin.sum() > MIN_SKIN_SHARE * oval.sum() else cheeks

    def _detected(self, picture: U8) -> list[Face]:
        self._find.forget()
        return self._find(Frame((picture,), "rgb24", 0, Fraction(0), still=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._find.close()


def openings(found: Contours) -> tuple[float, float]:
    """How far mouth and eyes are open, height over width; the points are those of ``face_contours``, in order."""

    def opening(points: F32, left: int, right: int, pairs: tuple[tuple[int, int], ...]) -> float:
        height = np.mean([np.linalg.norm(points[a] - points[b]) for a, b in pairs])
        return float(height / max(float(np.linalg.norm(points[left] - points[right])), 1e-6))

    mouth = opening(found["mouth"], 0, 10, ((5, 15), (4, 16), (6, 14)))
    eyes = [opening(found[name], 0, 8, ((3, 13), (5, 11))) for name in ("right_eye", "left_eye")]
    return mouth, float(np.mean(eyes))


def summary(faces: list[Kept]) -> dict[str, Any]:
    """The figures of some faces; nan where there are too few."""
    seen = [face for face in faces if not np.isnan(face.off)]
    mouth, eyes, skin = (
        torch.tensor([getattr(face, name) for face in part], dtype=torch.float64).reshape(-1, 2).T
        for name, part in (("mouth", seen), ("eyes", seen), ("skin", faces))
    )
    share = float("nan") if not faces else 1 / len(faces)
    return {
        "faces": len(faces),
        "found_again": share * sum(face.found for face in faces),
        "landmarks_found": share * len(seen),
        "landmark_error": float(np.mean([face.off for face in seen])) if seen else float("nan"),
        "mouth_r": metrics.correlation(*mouth),
        "eyes_r": metrics.correlation(*eyes),
        "tone_slope": metrics.slope(*skin) if len(faces) > 1 else float("nan"),
        "tone_rank": metrics.rank_correlation(*skin),
    }


def darkest_fifth(faces: list[Kept]) -> list[int]:
    """Places of the faces whose photographed skin is darkest, one at least where there are any."""
    darkest: list[int] = np.argsort([face.skin[0] for face in faces])[: -(-len(faces) // 5)].tolist()
    return darkest


def _crop(picture: U8, face: Face) -> U8:
    frame = Frame((picture,), "rgb24", 0, Fraction(0))
    return crop.sample(frame, crop.square(face, MARGIN, CROP_PX), CROP_PX)


def _same(a: Face, b: Face) -> bool:
    return len(distinct([a, b])) == 1


def _lightness(image: U8, area: F32) -> float:
    """Mean CIE L* of (h, w, 3) uint8 RGB within ``area``, (h, w) 0..1."""
    lab = cv2.cvtColor(image / np.float32(255), cv2.COLOR_RGB2LAB)
    return float((lab[..., 0] * area).sum() / max(float(area.sum()), 1e-6))
