"""Crops -> pairs on disk: random views of people and what the teacher draws of them.

``OUT/{train,val}_{images,drawings,mattes}.npy``: (N, 256, 256, 3), (N, 256, 256), (N, 256, 256) uint8. Drawing once
and training many times over keeps the teacher's tenth of a second out of the training loop. Every view has its own
seed: the files are the same on every run.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm  # type: ignore[import-untyped]

from foundation.cores import available_cores
from foundation.errors import UsageError
from streamtoon.pipeline.find import Finder
from streamtoon.types import U8, Frame
from train import teachers
from train.data import photo_files, prepare
from train.data.augment_person import compose, nobody
from train.data.degrade_camera import to_unit
from train.data.prepare import CROP_PX
from train.data.processes import processes
from train.shapes import ramp

PAIR_SHAPES = {"images": (CROP_PX, CROP_PX, 3), "drawings": (CROP_PX, CROP_PX), "mattes": (CROP_PX, CROP_PX)}


@dataclass
class Args:
    """Crops -> pairs: random views of the prepared people and the teacher's drawings of them."""

    crops: Path
    """folder that `prepare` wrote"""
    out: Path
    """folder to write"""
    teacher: str = "ink"
    """module of train.teachers that draws"""
    views: int = 4
    """random views of each person"""
    backgrounds: Path | None = None
    """folder of pictures to put behind people, beside other people's photos; those with a face are left out"""
    empty: float = 0.05
    """part of the views that show nobody: what the whole frame's tiles may look like"""
    seed: int = 0
    """changes every view"""
    workers: int = max(1, available_cores() // 2)
    """processes"""


def matte_target(mask: U8) -> U8:
    """A person mask with its flat parts brought to exactly 0 and 255, its edge kept soft."""
    return np.asarray(255 * ramp(to_unit(mask), 0.2, 0.8) + 0.5, np.uint8)


@cache
def _others(crops: Path, backgrounds: Path | None) -> tuple[list[U8], list[U8]]:
    """Pictures to put behind people: a few dozen other people, and scenes; and those scenes alone."""
    items = [i for i in prepare.load(crops) if i.split == "train"]
    people = [crops / "crops" / f"{i.name}.png" for i in items[:: max(1, len(items) // 40)]]
    scenes = (
        sorted(f for f in backgrounds.iterdir() if f.suffix.lower() in photo_files.PICTURE_SUFFIXES)
        if backgrounds
        else []
    )
    seen, views = ([p for p in map(photo_files.read_rgb, names) if p is not None] for names in (people, scenes))
    with Finder() as finder:  # a painted face is somebody: as a background it would teach to overlook faces
        empty = [v for v in views if not finder(Frame((v,), "rgb24", 0, Fraction(0)))]
    return [*seen, *empty * 2], empty


Job = tuple["Args", prepare.Item, int]


def _view(job: Job) -> tuple[U8, U8, U8]:
    args, item, view = job
    canvas = photo_files.read_rgb(args.crops / "crops" / f"{item.name}.png")
    mask = cv2.imread(str(args.crops / "masks" / f"{item.name}.png"), cv2.IMREAD_GRAYSCALE)
    if canvas is None or mask is None:
        raise UsageError(f"crop or mask of {item.name} is missing in {args.crops}; run `prepare` again")
    rng = np.random.default_rng([args.seed, view, int(item.sha256[:8], 16)])
    others, empty = _others(args.crops, args.backgrounds)
    if rng.random() < args.empty and empty:
        image, mask, contours = nobody(rng, empty)
    else:
        image, mask, contours = compose(rng, canvas, np.asarray(mask, np.uint8), item.shapes(), others)
    drawing = teachers.load(args.teacher)(image, mask, contours)
    return image, drawing, matte_target(mask)


def pairs(args: Args) -> None:
    """Draw every view of every person of the train and val splits."""
    teachers.load(args.teacher)  # an unknown one is told before anything is made
    if args.backgrounds is not None and not args.backgrounds.is_dir():
        raise UsageError(f"backgrounds folder {args.backgrounds} is not there")
    items = prepare.load(args.crops)
    args.out.mkdir(parents=True, exist_ok=True)
    with processes(args.workers, _view) as run:
        for split, views in (("train", args.views), ("val", 1)):
            people = [i for i in items if i.split == split]
            jobs = [(args, item, view) for view in range(views) for item in people]
            kept = {
                part: np.lib.format.open_memmap(args.out / f"{split}_{part}.npy", "w+", np.uint8, (len(jobs), *shape))
                for part, shape in PAIR_SHAPES.items()
                if jobs
            }
            for n, made in enumerate(tqdm(run(jobs), split, len(jobs), unit="view")):
                for part, picture in zip(PAIR_SHAPES, made, strict=True):
                    kept[part][n] = picture
