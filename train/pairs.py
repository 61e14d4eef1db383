"""Crops -> pairs on disk: random views of people and what the teacher draws of them.

``OUT/{train,val}_{images,drawings,mattes}.npy``: (N, 256, 256, 3), (N, 256, 256), (N, 256, 256) uint8. Drawing once
and training many times over keeps the teacher's tenth of a second out of the training loop. Every view has its own
seed: the files are the same on every run.
"""

from __future__ import annotations

import os
import signal
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm  # type: ignore[import-untyped]

from streamtoon.types import U8
from train import prepare
from train.checkpoint import BadInput
from train.compose import compose, nobody
from train.degrade import to_unit
from train.prepare import SIZE
from train.teachers.ink import ramp

PARTS = {"images": (SIZE, SIZE, 3), "drawings": (SIZE, SIZE), "mattes": (SIZE, SIZE)}


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
    """folder of pictures to put behind people, beside the other people's own photos"""
    empty: float = 0.05
    """part of the views that show nobody: what the whole frame's tiles may look like"""
    seed: int = 0
    """changes every view"""
    workers: int = max(1, (os.cpu_count() or 2) // 2)
    """processes"""


def matte_target(mask: U8) -> U8:
    """A person mask with its flat parts brought to exactly 0 and 255, its edge kept soft."""
    return np.asarray(255 * ramp(to_unit(mask), 0.2, 0.8) + 0.5, np.uint8)


@cache
def _others(crops: Path, backgrounds: Path | None) -> tuple[list[U8], list[U8]]:
    """A few dozen other people, and the scenes: pictures to put behind people."""
    items = [i for i in prepare.load(crops) if i.split == "train"]
    people = [crops / "crops" / f"{i.name}.png" for i in items[:: max(1, len(items) // 40)]]
    scenes = sorted(f for f in backgrounds.iterdir() if f.suffix.lower() in prepare.PICTURES) if backgrounds else []
    first, second = ([p for p in map(prepare.read_rgb, names) if p is not None] for names in (people, scenes))
    return first, second


def _view(job: tuple[Args, prepare.Item, int]) -> tuple[U8, U8, U8]:
    args, item, view = job
    cv2.setNumThreads(1)
    canvas = prepare.read_rgb(args.crops / "crops" / f"{item.name}.png")
    mask = cv2.imread(str(args.crops / "masks" / f"{item.name}.png"), cv2.IMREAD_GRAYSCALE)
    if canvas is None or mask is None:
        raise BadInput(f"crop or mask of {item.name} is missing in {args.crops}; run `prepare` again")
    rng = np.random.default_rng([args.seed, view, int(item.sha256[:8], 16)])
    people, scenes = _others(args.crops, args.backgrounds)
    if rng.random() < args.empty and scenes:
        image, mask, contours = nobody(rng, scenes)
    else:
        others = [*people, *scenes * 2]
        image, mask, contours = compose(rng, canvas, np.asarray(mask, np.uint8), item.shapes(), others)
    drawing: U8 = import_module(f"train.teachers.{args.teacher}").draw(image, mask, contours)
    return image, drawing, matte_target(mask)


def pairs(args: Args) -> None:
    """Draw every view of every person of the train and val splits."""
    if args.teacher.startswith("_") or not (Path(__file__).parent / "teachers" / f"{args.teacher}.py").is_file():
        known = sorted(f.stem for f in (Path(__file__).parent / "teachers").glob("[a-z]*.py"))
        raise BadInput(f"there is no teacher {args.teacher!r}; choose from {', '.join(known)}")
    if args.backgrounds is not None and not args.backgrounds.is_dir():
        raise BadInput(f"backgrounds folder {args.backgrounds} is not there")
    items = prepare.load(args.crops)
    args.out.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(args.workers, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)) as pool:
        for split, views in (("train", args.views), ("val", 1)):
            people = [i for i in items if i.split == split]
            jobs = [(args, item, view) for view in range(views) for item in people]
            kept = {
                part: np.lib.format.open_memmap(args.out / f"{split}_{part}.npy", "w+", np.uint8, (len(jobs), *shape))
                for part, shape in PARTS.items()
                if jobs
            }
            for n, made in enumerate(tqdm(pool.map(_view, jobs, chunksize=4), split, len(jobs), unit="view")):
                for part, picture in zip(PARTS, made, strict=True):
                    kept[part][n] = picture
