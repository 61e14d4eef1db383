"""What light, lens, sensor and compression do to a picture. The drawing must not care: the target stays as it is.

Exposure changes the whole picture by a gain; a person's complexion changes skin alone (augment_person.py), so the two
can be told apart. Strong gammas are left out on purpose: they make dark skin and dim light the same picture.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from streamtoon.types import F32, U8

Rng = np.random.Generator
Floats = npt.NDArray[np.floating[Any]]
FIXED_DEGRADATIONS: Final = ("clean", "noise", "jpeg", "dim")  # the fixed degradations that `evaluate` reports


def degrade(rng: Rng, image: U8) -> U8:
    """(h, w, 3) uint8 RGB -> the same scene through a worse camera; one picture in ten stays as it is."""
    if rng.random() < 0.1:
        return image
    light = relight(rng, to_unit(image))
    if rng.random() < 0.5:
        light = soften(rng, light)
    if rng.random() < 0.6:
        light = grain(rng, light, float(rng.uniform(1, 16)) / 255)
    if rng.random() < 0.15:
        light = light + float(rng.uniform(0.3, 1.0)) * (light - cv2.GaussianBlur(light, (0, 0), 1.5))
    out = to_u8(light)
    return jpeg(out, int(rng.integers(25, 91))) if rng.random() < 0.55 else out


def fixed(kind: str, image: U8, seed: int) -> U8:
    """One of FIXED_DEGRADATIONS for everybody: sigma 12 noise, JPEG quality 25, or .4 of the light with noise 4."""
    rng = np.random.default_rng(seed)
    light = to_unit(image)
    if kind == "noise":
        return to_u8(light + rng.normal(0, 12 / 255, image.shape))
    if kind == "jpeg":
        return jpeg(image, 25)
    if kind == "dim":
        return to_u8(light * 0.4 + rng.normal(0, 4 / 255, image.shape))
    return image


def to_unit(image: U8) -> F32:
    """0..255 -> 0..1."""
    return np.asarray(image * np.float32(1 / 255), np.float32)


def to_u8(light: Floats) -> U8:
    """0..1 -> 0..255, clipped."""
    return np.asarray(np.clip(light * 255 + 0.5, 0, 255), np.uint8)


def jpeg(image: U8, quality: int) -> U8:
    """Through JPEG and back."""
    data = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[:, :, ::-1], np.uint8)  # type: ignore[index]


def relight(rng: Rng, light: F32) -> F32:
    """Gain, a mild gamma, light from one side, tint, haze, less colour."""
    h, w = light.shape[:2]
    if rng.random() < 0.5:  # the rest keep their exposure: how light a face looks is mostly how light it is
        light = light * np.float32(np.exp(rng.uniform(-0.95, 0.3)))
    if rng.random() < 0.4:
        light = np.power(np.maximum(light, 0), np.float32(np.exp(rng.uniform(-0.25, 0.25))))
    if rng.random() < 0.4:
        y, x = np.mgrid[0:h, 0:w].astype(np.float32) / h - 0.5
        turn, power = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 1.1)
        light = light * np.exp(power * (x * np.cos(turn) + y * np.sin(turn)))[..., None].astype(np.float32)
    if rng.random() < 0.6:
        light = light * np.exp(rng.normal(0, 0.09, 3)).astype(np.float32)
    if rng.random() < 0.3:
        haze = np.float32(rng.uniform(0, 0.3))
        light = light * (1 - haze) + haze * np.float32(rng.uniform(0.2, 0.8))
    if rng.random() < 0.3:
        grey, left = light.mean(axis=2, keepdims=True), np.float32(rng.choice([0.0, rng.uniform(0, 1)]))
        light = grey + left * (light - grey)
    return np.asarray(np.clip(light, 0, 1), np.float32)


def soften(rng: Rng, light: F32) -> F32:
    """Out of focus, moved, or seen with too few pixels."""
    h, w = light.shape[:2]
    kind = rng.random()
    if kind < 0.35:
        return np.asarray(cv2.GaussianBlur(light, (0, 0), float(rng.uniform(0.4, 1.8))), np.float32)
    if kind < 0.5:
        size = int(rng.integers(3, 8))
        line = np.zeros((size, size), np.float32)
        a = rng.uniform(0, np.pi)
        for t in np.linspace(-size / 2 + 0.5, size / 2 - 0.5, 4 * size):
            line[int(size / 2 + t * np.sin(a)), int(size / 2 + t * np.cos(a))] += 1
        return np.asarray(cv2.filter2D(light, -1, line / line.sum(), borderType=cv2.BORDER_REPLICATE), np.float32)
    factor = float(rng.uniform(1.3, 3.2))
    small = cv2.resize(light, (int(w / factor), int(h / factor)), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.5:
        small = grain(rng, np.asarray(small, np.float32), float(rng.uniform(1, 8)) / 255)
    return np.asarray(cv2.resize(small, (w, h), interpolation=cv2.INTER_LINEAR), np.float32)


def grain(rng: Rng, light: F32, sigma: float) -> F32:
    """Sensor noise, part of it shared by the colours, some of it in clumps as after a video codec."""
    h, w = light.shape[:2]
    noise = rng.standard_normal((h, w, 1), np.float32) + 0.6 * rng.standard_normal((h, w, 3), np.float32)
    if rng.random() < 0.35:
        noise = 1.6 * cv2.GaussianBlur(noise, (0, 0), 0.9)
    return np.asarray(light + sigma * noise, np.float32)
