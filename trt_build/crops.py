"""Crops to calibrate and to compare on: a photo of a face moved and lit in known ways, or a folder of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, UnidentifiedImageError

from engines import U8, EngineError

COUNT: Final = 64
CHECK_SEED: Final = 1  # what INT8 was calibrated on must not be what it is judged by
CALIBRATION_SEED: Final = 2
FACE: Final = np.array([224.0, 150.0])  # where the crops have their middle, px of a photo of 512 px
BORDER: Final = 256  # px of the photo's edge continued, so that a leaning crop is full
PICTURE_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp")


def moved(photo: U8, size: int, seed: int = CHECK_SEED, count: int = COUNT) -> U8:
    """Crops of ``photo``, (count, size, size, 3) uint8 RGB; the same for the same seed.

    photo: (512, 512, 3) uint8 RGB with a face at FACE. Scale, lean, place, mirror, light and its colour, sensor noise
    are drawn from ranges that webcams show.
    """
    wide = Image.fromarray(np.pad(photo, ((BORDER, BORDER), (BORDER, BORDER), (0, 0)), "edge"))
    rng = np.random.default_rng(seed)
    return np.stack([_crop(rng, wide, size) for _ in range(count)])


def _crop(rng: np.random.Generator, photo: Image.Image, size: int) -> U8:
    """One of them."""
    side = rng.uniform(300, 460)  # px of the photo that a crop shows
    angle = np.radians(rng.uniform(-18, 18))
    turn = side / size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turn[:, 0] *= rng.choice([-1.0, 1.0])
    corner = FACE + BORDER + rng.uniform(-0.06, 0.06, 2) * side - turn @ np.array([size / 2, size / 2])
    rows = np.column_stack([turn, corner]).ravel()
    moved = photo.transform(
        (size, size), Image.Transform.AFFINE, tuple(float(v) for v in rows), Image.Resampling.BICUBIC
    )
    light = np.asarray(moved, np.float64) * np.exp(rng.uniform(-1.1, 0.3) + rng.normal(0, 0.08, 3))
    across = np.exp(rng.uniform(-0.7, 0.7) * np.linspace(-1, 1, size))[None, :, None]  # a lamp at one side
    noisy = light * across + rng.normal(0, rng.uniform(0, 9), light.shape)
    return np.asarray(np.clip(noisy + 0.5, 0, 255), np.uint8)


def read(path: Path, size: int) -> U8:
    """Crops of one's own, (N, size, size, 3) uint8 RGB: a folder of square pictures, or an .npz. Raises EngineError."""
    try:
        if path.suffix == ".npz":
            with np.load(path) as file:
                found = np.asarray(file[file.files[0]])
        else:
            files = sorted(p for p in path.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES)
            found = np.stack([_picture(file, size) for file in files])
    except (OSError, ValueError, IndexError, UnidentifiedImageError) as error:
        raise EngineError(f"{path} is no folder of crops and no .npz: {error}") from error
    if found.dtype != np.uint8 or found.ndim != 4 or found.shape[1:] != (size, size, 3) or not len(found):
        raise EngineError(f"{path} holds {found.dtype} {found.shape}; crops are uint8 (N, {size}, {size}, 3)")
    return found


def _picture(file: Path, size: int) -> U8:
    with Image.open(file) as picture:
        return np.asarray(picture.convert("RGB").resize((size, size), Image.Resampling.LANCZOS))
