"""What a person may look like before the teacher draws: pose, complexion, clothes, what is behind. Pure numpy.

Everything here changes the drawing too. What must not change it (light, lens, sensor, compression) is in
degrade_camera.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from streamtoon.types import F32, U8
from train.data.degrade_camera import to_u8, to_unit
from train.data.prepare import CANVAS_PX, CROP_PX, EDGE_PX
from train.shapes import Contours, polygon, ramp

Rng = np.random.Generator
MIRRORED_EYES: Final = {"right_eye": "left_eye", "left_eye": "right_eye"}


def compose(
    rng: Rng, canvas: U8, mask: U8, contours: Contours | None, others: Sequence[U8]
) -> tuple[U8, U8, Contours | None]:
    """One random view of one person: (256, 256, 3) RGB, (256, 256) person mask, contours, all in crop px.

    ``others`` (h, w, 3) are pictures to put behind the person.
    """
    image, mask, contours = pose(rng, canvas, mask, contours)
    light = to_unit(image)
    person = ramp(to_unit(mask), 0.3, 0.9)[..., None]
    skin = skin_area(image, mask, contours)[..., None] if contours is not None else np.zeros_like(person)
    if rng.random() < 0.5:
        light = complexion(light, skin, float(np.exp(rng.uniform(np.log(0.33), 0.1))))
    if rng.random() < 0.4:
        dye = float(np.exp(rng.uniform(-1.4, 0.5))) * np.exp(rng.normal(0, 0.15, 3)).astype(np.float32)
        face = face_area(image, contours)[..., None] if contours is not None else 0.0
        light += person * (1 - skin) * (1 - face) * (np.minimum(light * dye, 1) - light)
    if rng.random() < 0.65:
        light = light * person + background(rng, image, others) * (1 - person)
    return to_u8(light), mask, contours


def nobody(rng: Rng, others: Sequence[U8]) -> tuple[U8, U8, Contours | None]:
    """A view without a person: a part of a picture at any scale, an empty mask."""
    other = others[int(rng.integers(len(others)))]
    side = int(rng.uniform(0.3, 1.0) * min(other.shape[:2]))
    y, x = rng.integers(0, other.shape[0] - side + 1), rng.integers(0, other.shape[1] - side + 1)
    image = cv2.resize(other[y : y + side, x : x + side], (CROP_PX, CROP_PX), interpolation=cv2.INTER_LINEAR)
    return np.asarray(image, np.uint8), np.zeros((CROP_PX, CROP_PX), np.uint8), None


def pose(rng: Rng, canvas: U8, mask: U8, contours: Contours | None) -> tuple[U8, U8, Contours | None]:
    """Canvas -> crop under a random similarity: +-10 degrees, scale .85 to 1.15, a small shift, a flip by halves."""
    centre = ((CANVAS_PX - 1) / 2, (CANVAS_PX - 1) / 2)
    turn, zoom = rng.uniform(-10, 10), float(np.exp(rng.uniform(-0.162, 0.14)))
    affine: npt.NDArray[np.float64] = np.asarray(cv2.getRotationMatrix2D(centre, turn, zoom), np.float64)
    affine[:, 2] += rng.uniform(-12, 12, 2) - EDGE_PX
    flip = rng.random() < 0.5
    if flip:
        affine = np.array([[-1, 0, CROP_PX - 1], [0, 1, 0], [0, 0, 1]])[:2] @ np.vstack([affine, [0, 0, 1]])
    image, mask = (
        np.asarray(
            cv2.warpAffine(p, affine, (CROP_PX, CROP_PX), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
            np.uint8,
        )
        for p in (canvas, mask)
    )
    if contours is not None:
        moved = {k: (v @ affine[:, :2].T + affine[:, 2]).astype(np.float32) for k, v in contours.items()}
        contours = {(MIRRORED_EYES.get(k, k) if flip else k): v for k, v in moved.items()}
    return image, mask, contours


def skin_area(image: U8, mask: U8, contours: Contours) -> F32:
    """(h, w) float32 0..1: the face without eyes and open mouth, and what of the person has its colour."""
    oval = face_area(image, contours)
    chroma = cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb).astype(np.float32)
    chroma = np.asarray(cv2.GaussianBlur(chroma, (0, 0), 2.0), np.float32)
    face = chroma[oval > 0.9]
    if len(face) == 0:
        return oval
    distance = (chroma - np.median(face, axis=0)) / np.array([75.0, 11.0, 11.0])
    alike = ramp(1.7 - np.sqrt(np.sum(distance**2, axis=2)), 0.0, 0.8) * (mask / 255.0)
    skin = np.maximum(oval, cv2.GaussianBlur(alike.astype(np.float32), (0, 0), 1.5))
    for name, grow in (("right_eye", 1), ("left_eye", 1), ("mouth", 0)):
        skin = skin * (1 - polygon(image.shape, contours[name], grow, 1.0))
    return np.asarray(skin, np.float32)


def face_area(image: U8, contours: Contours) -> F32:
    """(h, w) float32 0..1: the face oval, softened."""
    return polygon(image.shape, contours["oval"], 2, 3.0)


def complexion(light: F32, skin: F32, gain: float) -> F32:
    """(h, w, 3) 0..1 with ``skin`` (h, w, 1) ``gain`` times as light: browner as it darkens, highlights kept."""
    grey = light.mean(axis=2, keepdims=True)
    usual = float(np.median(grey[skin > 0.7])) if bool((skin > 0.7).any()) else 0.5
    shine = 0.35 * ramp(grey, 1.2 * usual, 1.8 * usual)
    tint = np.power(gain, np.array([0.92, 1.03, 1.08], np.float32))
    return np.asarray(light + skin * (np.clip(light * (tint + (1 - tint) * shine), 0, 1) - light), np.float32)


def background(rng: Rng, image: U8, others: Sequence[U8]) -> F32:
    """(CROP_PX, CROP_PX, 3) float32 0..1: a plain colour, a gradient, a room of boxes, cloudy noise, or a picture."""
    kind = rng.choice(["plain", "gradient", "boxes", "clouds", "picture"], p=[0.22, 0.18, 0.15, 0.12, 0.33])
    colour = _colour(rng, image)
    sheet = np.broadcast_to(colour, (CROP_PX, CROP_PX, 3)).astype(np.float32)
    if kind == "gradient":
        y, x = np.mgrid[0:CROP_PX, 0:CROP_PX].astype(np.float32) / CROP_PX - 0.5
        turn = rng.uniform(0, 2 * np.pi)
        part = np.clip(0.5 + x * np.cos(turn) + y * np.sin(turn), 0, 1)[..., None]
        sheet = sheet * (1 - part) + _colour(rng, image) * part
    elif kind == "boxes":
        sheet = sheet.copy()
        for _ in range(rng.integers(3, 14)):
            x0, y0 = rng.integers(-40, CROP_PX, 2)
            w, h = rng.integers(6, 150, 2)
            sheet[max(y0, 0) : max(y0 + h, 0), max(x0, 0) : max(x0 + w, 0)] = _colour(rng, image)
        sheet = np.asarray(cv2.GaussianBlur(sheet, (0, 0), float(rng.uniform(0.5, 4))), np.float32)
    elif kind == "clouds":
        small = rng.normal(0, 0.25, (int(rng.integers(3, 40)),) * 2 + (3,)).astype(np.float32)
        sheet = sheet + cv2.resize(small, (CROP_PX, CROP_PX), interpolation=cv2.INTER_CUBIC)
    elif kind == "picture" and len(others):
        other = others[int(rng.integers(len(others)))]
        side = int(rng.uniform(0.4, 1.0) * min(other.shape[:2]))
        y, x = rng.integers(0, other.shape[0] - side + 1), rng.integers(0, other.shape[1] - side + 1)
        part = other[y : y + side, x : x + side][:, :: int(rng.choice([-1, 1]))]
        picture = to_unit(np.asarray(cv2.resize(part, (CROP_PX, CROP_PX), interpolation=cv2.INTER_LINEAR), np.uint8))
        sheet = np.asarray(cv2.GaussianBlur(picture, (0, 0), float(np.exp(rng.uniform(-0.7, 2.5)))), np.float32)
    return np.asarray(np.clip(sheet, 0, 1), np.float32)


def _colour(rng: Rng, image: U8) -> F32:
    """Any grey or colour, or one out of the picture itself: clothes may vanish into the wall behind."""
    choice = rng.random()
    if choice < 0.35:
        return to_unit(image[rng.integers(CROP_PX), rng.integers(CROP_PX)])
    if choice < 0.7:
        return np.full(3, rng.uniform(0, 1), np.float32)
    return np.asarray(rng.uniform(0, 1) + rng.normal(0, 0.15, 3), np.float32).clip(0, 1)
