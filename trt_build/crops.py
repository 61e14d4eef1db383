"""Crops and pictures to calibrate and to compare on: a photo moved and lit in known ways, or a folder of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, UnidentifiedImageError

from engines import U8, EngineError
from trt_build.source import Shape, Source

COUNT: Final = 64  # crops
PICTURES: Final = 12  # whole pictures, each as large as four crops
CHECK_SEED: Final = 1  # what INT8 was calibrated on must not be what it is judged by
CALIBRATION_SEED: Final = 2
FACE: Final = np.array([224.0, 150.0])  # where the crops have their middle, px of a photo of 512 px
BORDER: Final = 256  # px of the photo's edge continued, so that a leaning crop is full
PICTURE_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp")


def made(source: Source, photo: U8, seed: int = CHECK_SEED, count: int | None = None) -> U8:
    """What ``source`` draws, moved in ``photo``: PICTURES whole pictures or COUNT crops, or ``count``."""
    return moved(photo, source.shape, seed, count or (COUNT if source.size else PICTURES))


def moved(photo: U8, shape: Shape, seed: int = CHECK_SEED, count: int = COUNT) -> U8:
    """Crops or pictures of ``photo``, (count, h, w, 3) uint8 RGB; the same for the same seed.

    photo: (512, 512, 3) uint8 RGB with a face at FACE. Scale, lean, place, mirror, light and its colour, sensor noise
    are drawn from ranges that webcams show.
    """
    wide = Image.fromarray(np.pad(photo, ((BORDER, BORDER), (BORDER, BORDER), (0, 0)), "edge"))
    rng = np.random.default_rng(seed)
    return np.stack([_crop(rng, wide, shape) for _ in range(count)])


def _crop(rng: np.random.Generator, photo: Image.Image, shape: Shape) -> U8:
    """One of them."""
    h, w = shape
    side = rng.uniform(300, 460)  # px of the photo that the shorter side shows
    angle = np.radians(rng.uniform(-18, 18))
    turn = side / min(h, w) * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turn[:, 0] *= rng.choice([-1.0, 1.0])
    corner = FACE + BORDER + rng.uniform(-0.06, 0.06, 2) * side - turn @ np.array([w / 2, h / 2])
    rows = np.column_stack([turn, corner]).ravel()
    moved = photo.transform((w, h), Image.Transform.AFFINE, tuple(float(v) for v in rows), Image.Resampling.BICUBIC)
    light = np.asarray(moved, np.float64) * np.exp(rng.uniform(-1.1, 0.3) + rng.normal(0, 0.08, 3))
    across = np.exp(rng.uniform(-0.7, 0.7) * np.linspace(-1, 1, w))[None, :, None]  # a lamp at one side
    noisy = light * across + rng.normal(0, rng.uniform(0, 9), light.shape)
    return np.asarray(np.clip(noisy + 0.5, 0, 255), np.uint8)


def read(path: Path, source: Source) -> U8:
    """One's own for ``source``, (N, h, w, 3) uint8 RGB: a folder of pictures, or an .npz. Raises EngineError.

    Pictures of the folder are resized to ``source.shape``, which is also that of those in an .npz.
    """
    shape = source.shape
    try:
        if path.suffix == ".npz":
            with np.load(path) as file:
                found = np.asarray(file[file.files[0]])
        else:
            files = sorted(p for p in path.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES)
            found = np.stack([_picture(file, shape) for file in files])
    except (OSError, ValueError, IndexError, UnidentifiedImageError) as error:
        raise EngineError(f"{path} is no folder of pictures and no .npz: {error}") from error
    if found.dtype != np.uint8 or found.ndim != 4 or found.shape[1:] != (*shape, 3) or not len(found):
        h, w = shape
        raise EngineError(f"{path} holds {found.dtype} {found.shape}; crops are uint8 (N, {h}, {w}, 3)")
    return found


def _picture(file: Path, shape: Shape) -> U8:
    h, w = shape
    with Image.open(file) as picture:
        return np.asarray(picture.convert("RGB").resize((w, h), Image.Resampling.LANCZOS))
