"""Crops to calibrate and to compare on: the shipped portrait moved and lit in known ways, or a folder of one's own."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, UnidentifiedImageError

from engines import U8, EngineError

COUNT: Final = 64
CHECK: Final = 1  # seeds: what INT8 was calibrated on must not be what it is judged by
CALIBRATION: Final = 2
FACE: Final = np.array([224.0, 150.0])  # where the portrait's crops have their middle, px
BORDER: Final = 256  # px of the photo's edge continued, so that a leaning crop is full
PICTURES: Final = (".jpg", ".jpeg", ".png", ".webp")


def default(size: int, seed: int = CHECK, count: int = COUNT) -> U8:
    """Crops of the shipped portrait, (count, size, size, 3) uint8 RGB; the same for the same seed.

    Scale, lean, place, mirror, light and its colour, sensor noise: drawn from ranges that webcams show.
    """
    spec = importlib.util.find_spec("streamtoon")
    file = Path(next(iter(spec.submodule_search_locations or ()))) / "assets" / "portrait.webp" if spec else None
    if file is None or not file.is_file():
        raise EngineError("the shipped portrait is not here; give crops of your own")
    with Image.open(file) as picture:
        wide = np.pad(np.asarray(picture.convert("RGB")), ((BORDER, BORDER), (BORDER, BORDER), (0, 0)), "edge")
    photo = Image.fromarray(wide)
    rng = np.random.default_rng(seed)
    return np.stack([_crop(rng, photo, size) for _ in range(count)])


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
            files = sorted(p for p in path.iterdir() if p.suffix.lower() in PICTURES)
            found = np.stack([_picture(file, size) for file in files])
    except (OSError, ValueError, IndexError, UnidentifiedImageError) as error:
        raise EngineError(f"{path} is no folder of crops and no .npz: {error}") from error
    if found.dtype != np.uint8 or found.ndim != 4 or found.shape[1:] != (size, size, 3) or not len(found):
        raise EngineError(f"{path} holds {found.dtype} {found.shape}; crops are uint8 (N, {size}, {size}, 3)")
    return found


def _picture(file: Path, size: int) -> U8:
    with Image.open(file) as picture:
        return np.asarray(picture.convert("RGB").resize((size, size), Image.Resampling.LANCZOS))
