"""What must survive drawing, measured on faces: landmarks, a bare chin, stillness. For styles without a target.

Landmarks are MediaPipe's, found in the photo and again in the drawing. Motion is made, not estimated: a still is moved
by a known shift, so the flow is exact (Lai et al., ECCV 2018, measure warping error with estimated flow instead).
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from streamtoon.pipeline.landmarks import Landmarks
from streamtoon.types import F32, U8
from train.data.face_contours import contours
from train.shapes import Contours, polygon

Draw = Callable[[U8], U8]  # (N, h, w, 3) RGB -> (N, h, w, 3) RGB on paper
LUMA_WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)
COMPARED_FEATURES = ("right_eye", "left_eye", "lips", "mouth")


def landmark_agreement(photos: list[U8], drawn: U8, margin: float) -> dict[str, float]:
    """Of the faces found in the photos, the part found in the drawings, and how far eyes and mouth are off there.

    The error is the mean distance of eye and mouth contour points in parts of the distance between the eyes; nan where
    no face is found.
    """
    landmarks, errors, known = Landmarks(), [], 0
    for photo, picture in zip(photos, drawn, strict=True):
        there = contours(landmarks, photo, margin)
        if there is None:
            continue
        known += 1
        again = contours(landmarks, np.ascontiguousarray(picture), margin)
        if again is not None:
            errors.append(landmark_error(there, again))
    rate = len(errors) / known if known else float("nan")
    return {"landmarks_found": rate, "landmark_error": float(np.mean(errors)) if errors else float("nan")}


def landmark_error(a: Contours, b: Contours) -> float:
    """Mean distance of eye and mouth points in parts of the distance between the eyes of ``a``."""
    between = float(np.linalg.norm(a["left_eye"].mean(axis=0) - a["right_eye"].mean(axis=0)))
    off = np.concatenate([np.linalg.norm(a[name] - b[name], axis=1) for name in COMPARED_FEATURES])
    return float(off.mean()) / max(between, 1e-6)


def bearded(photo: U8, drawn: U8, found: Contours, limit: float = 0.15) -> bool:
    """Whether the drawing darkens the chin more than the photo does.

    Chin and cheeks are compared in each picture; a drawing that makes the chin ``limit`` of the whole range darker,
    against the cheeks, than the photo shows it has put something there. Give it people without a beard.
    """
    chin, cheeks = chin_and_cheeks(photo.shape[:2], found)

    def darker(picture: U8) -> float:
        grey = picture.astype(np.float32) @ LUMA_WEIGHTS / 255
        return float((grey * cheeks).sum() / cheeks.sum() - (grey * chin).sum() / chin.sum())

    return darker(drawn) - darker(photo) > limit


def chin_and_cheeks(shape: tuple[int, ...], found: Contours) -> tuple[F32, F32]:
    """(h, w) 0..1 areas: the oval below the lips; and the oval between eyes and lips, without the middle third."""
    oval = polygon(shape, found["oval"], 0)
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]]
    lips, eyes = found["lips"], np.concatenate([found["right_eye"], found["left_eye"]])
    middle = float(found["oval"][:, 0].mean())
    third = float(np.ptp(found["oval"][:, 0])) / 6
    chin = oval * (rows > lips[:, 1].max() + 2)
    beside = np.abs(columns - middle) > third
    cheeks = oval * (rows > eyes[:, 1].max() + 4) * (rows < lips[:, 1].min()) * beside
    return np.asarray(chin, np.float32), np.asarray(cheeks, np.float32)


def flicker(draw: Draw, photos: list[U8], shifts: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0)) -> float:
    """Mean |G(T x) - T G(x)| in grey levels over known shifts T in px: 0 where drawings move with their photos."""
    errors = []
    images = np.stack(photos)
    still = draw(images)
    for shift in shifts:
        moved = draw(shifted(images, shift))
        off = np.abs(moved.astype(np.float32) - shifted(still, shift).astype(np.float32))
        errors.append(float(off[:, 16:-16, 16:-16].mean()))  # what comes in over the edge is nobody's fault
    return float(np.mean(errors))


def shifted(images: U8, shift: float) -> U8:
    """(N, h, w, 3) moved to the right by ``shift`` px, edges replicated."""
    affine = np.array([[1, 0, shift], [0, 1, 0]], np.float64)
    h, w = images.shape[1:3]
    moved = [cv2.warpAffine(i, affine, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for i in images]
    return np.asarray(np.stack(moved), np.uint8)


def edge_f1(out: U8, target: U8, reach: int = 1) -> float:
    """F1 of Canny edges of (h, w) uint8 pictures; an edge counts as found ``reach`` px off. 1 where neither has any."""
    kernel = np.ones((2 * reach + 1,) * 2, np.uint8)
    a, b = (cv2.Canny(cv2.GaussianBlur(p, (0, 0), 1.0), 50, 120) > 0 for p in (out, target))
    near_a, near_b = (cv2.dilate(p.astype(np.uint8), kernel) > 0 for p in (a, b))
    if not a.any() or not b.any():
        return float(a.any() == b.any())
    precision, recall = float(near_b[a].mean()), float(near_a[b].mean())
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)
