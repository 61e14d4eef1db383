"""Folders of pictures that have nothing to do with each other: photos here, drawings there. For unpaired methods.

A folder is one that ``prepare`` wrote, or any folder of equally large pictures. The split is the hash of the file name,
as everywhere (prepare.py).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from foundation.errors import UsageError
from streamtoon.types import U8
from train.data import photo_files, prepare
from train.data.batches import to_tensor
from train.data.degrade_camera import degrade

Rng = np.random.Generator
STORED_ZOOM = 286 / 256  # pictures are kept this much larger than they are shown, as CycleGAN does


@dataclass(frozen=True, slots=True)
class Pictures:
    """(N, L, L, 3) uint8 pictures; ``view`` is the part, 0..1 of L, that a plain look at them shows."""

    images: U8
    view: float


def read(folder: Path, size: int) -> tuple[Pictures, Pictures]:
    """The pictures of a folder to train on, and those held out. Raises UsageError where they cannot be used."""
    if (folder / "manifest.json").is_file():
        files = {i.name: (folder / "crops" / f"{i.name}.png", i.split) for i in prepare.load(folder)}
        view, side = prepare.CROP_PX / prepare.CANVAS_PX, size * prepare.CANVAS_PX // prepare.CROP_PX
    else:
        if not folder.is_dir():
            raise UsageError(f"pictures folder {folder} is not there; give a folder of pictures")
        found = sorted(f for f in folder.iterdir() if f.suffix.lower() in photo_files.PICTURE_SUFFIXES)
        files = {f.name: (f, photo_files.split_of(f.name)) for f in found}
        view, side = 1.0, round(size * STORED_ZOOM)
    shapes, kept = Counter[tuple[int, ...]](), dict[str, list[U8]](train=[], val=[], test=[])
    for file, split in files.values():
        picture = photo_files.read_rgb(file)
        if picture is None:
            raise UsageError(f"{file} cannot be read as a picture; remove it or run `python -m train prepare`")
        shapes[picture.shape] += 1
        kept[split].append(np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), np.uint8))
    if len(shapes) > 1:
        sizes = ", ".join(f"{n} of {s[1]}x{s[0]}" for s, n in shapes.most_common(3))
        raise UsageError(f"{folder} holds pictures of different sizes ({sizes}); run `python -m train prepare` on it")
    if len(kept["train"]) < 4:
        raise UsageError(f"{folder} holds {len(kept['train'])} pictures to train on; at least 4 are needed")
    while len(kept["val"]) < 2:  # the hash put nobody there: a small folder
        kept["val"].append(kept["train"].pop())
    return Pictures(np.stack(kept["train"]), view), Pictures(np.stack(kept["val"]), view)


def look(pictures: Pictures, size: int, which: list[int]) -> U8:
    """(N, size, size, 3) uint8: the pictures as they are."""
    return np.stack([_warp(pictures.images[i], plain(pictures, size), size) for i in which])


def plain(pictures: Pictures, size: int) -> npt.NDArray[np.float64]:
    """(3, 3) affine, picture px -> crop px."""
    scale = size / (pictures.images.shape[1] * pictures.view)
    edge = (size - pictures.images.shape[1] * scale) / 2
    half = 0.5 * scale - 0.5  # px centres
    return np.array([[scale, 0, edge + half], [0, scale, edge + half], [0, 0, 1]])


def shaken(rng: Rng, pictures: Pictures, size: int, n: int, *, turned: bool) -> U8:
    """One picture flipped by halves and zoomed and shifted as CycleGAN does, or (``turned``) as far as faces allow."""
    turn = rng.uniform(-10, 10) if turned else 0.0
    zoom = float(np.exp(rng.uniform(-0.162, 0.14))) if turned else STORED_ZOOM
    affine = np.vstack([cv2.getRotationMatrix2D(((size - 1) / 2, (size - 1) / 2), turn, zoom), [0, 0, 1]])
    reach = 12 / 256 if turned else (STORED_ZOOM - 1) / 2
    affine[:2, 2] += rng.uniform(-reach * size, reach * size, 2)
    if rng.random() < 0.5:
        affine = np.array([[-1, 0, size - 1], [0, 1, 0], [0, 0, 1]]) @ affine
    return _warp(pictures.images[n], affine @ plain(pictures, size), size)


def _warp(picture: U8, affine: npt.NDArray[np.float64], size: int) -> U8:
    warped = cv2.warpAffine(
        picture, affine[:2], (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(warped, np.uint8)


@dataclass(frozen=True, slots=True)
class Unpaired:
    """(N, 3, size, size) float32 in [-1, 1]: photos as a camera saw them, the clean photos, other people's drawings."""

    seen: Tensor
    photos: Tensor
    drawings: Tensor

    def to(self, device: torch.device) -> Unpaired:
        """The same on a device."""
        return Unpaired(*(x.to(device) for x in (self.seen, self.photos, self.drawings)))


def unpaired(
    photos: Pictures, drawings: Pictures, size: int, picks: list[tuple[int, int, list[int]]], *, hard: bool
) -> Unpaired:
    """A batch of (photo, drawing, seed); ``hard`` turns them and degrades what is seen, else it is CycleGAN's way."""
    clean, seen, drawn = [], [], []
    for photo, drawing, seed in picks:
        rng = np.random.default_rng(seed)
        clean.append(shaken(rng, photos, size, photo, turned=hard))
        drawn.append(shaken(rng, drawings, size, drawing, turned=hard))
        seen.append(degrade(rng, clean[-1]) if hard else clean[-1])
    return Unpaired(*(to_tensor(np.stack(part)) for part in (seen, clean, drawn)))
