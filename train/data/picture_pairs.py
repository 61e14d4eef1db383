"""Photos -> whole pictures and what a teacher draws of them, on disk.

``OUT/{train,val}/NAME-K.npy``: (2, h, w, 3) uint8, a photo and its drawing at the K-th of the scales; both sides are
multiples of 16. ``OUT/train/wall-N.npy``: the same of a wall (walls.py). ``OUT/pairs.json``: what they were made with,
and how many there are. Who is held out goes by the file's name as everywhere (photo_files.py); the test split is not
drawn. Each picture has its own seed: the files are the same on every run. Those that are there already are kept: a run
that was stopped goes on.
On a GPU threads share it, elsewhere there is a process a core.
"""

from __future__ import annotations

import hashlib
import inspect
import io
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch
from tqdm import tqdm  # type: ignore[import-untyped]

from foundation import files
from foundation.cores import available_cores
from foundation.errors import UsageError
from streamtoon.types import U8
from train import teachers
from train.data import photo_files
from train.data.processes import processes
from train.data.walls import walls

log = logging.getLogger(__name__)

STEP: Final = 16  # px; sides are multiples of it
MAX_ENLARGED: Final = 1.5
MAX_LONG_PX: Final = 1600
GPU_THREADS: Final = 6  # that read, draw and write beside each other
SPLITS: Final = ("train", "val")


@dataclass
class Args:
    """Photos -> pairs of whole pictures: every photo at some random sizes, and the teacher's drawings of them."""

    photos: list[Path]
    """folders of photos (searched through)"""
    out: Path
    """folder to write; a run that was stopped is gone on with"""
    teacher: str = "comic"
    """module of train.teachers that draws whole pictures"""
    scales: tuple[tuple[int, int], ...] = ((300, 450), (500, 800))
    """least and largest short side in px, for each drawing of a photo: 300 450 500 800 makes two"""
    seed: int = 0
    """changes every size"""
    limit: int = 0
    """read at most so many photos of a folder; 0 reads all"""
    workers: int = available_cores()
    """processes, where there is no GPU"""


Job = tuple[Path, Path, tuple[int, int], tuple[int, ...]]  # photo, file to write, short side from and to, seed


def picture_pairs(args: Args) -> None:
    """Draw every photo of the train and val splits at every scale."""
    draw = teachers.load(args.teacher, whole_picture=True)
    if not args.scales or any(not STEP <= low <= high for low, high in args.scales):
        raise UsageError(f"--scales takes pairs of a least and a largest short side, each at least {STEP} px")
    jobs = _jobs(args)
    _begin(args, draw)
    missing = [job for job in jobs if not job[1].is_file()]
    done = len(jobs) - len(missing)
    unreadable = []
    with _workers(args.workers, partial(_make, args.teacher)) as run:
        progress = tqdm(run(missing), args.teacher, len(jobs), initial=done, unit="picture")
        for job, made in zip(missing, progress, strict=True):
            if not made:
                unreadable.append(job[0].name)
    counts = Counter(job[1].parent.name for job in jobs if job[1].is_file())
    if not counts:
        raise UsageError("none of the photos could be read as a picture")
    for n, wall in enumerate(walls(args.seed)):
        _write_pair(args.out / "train" / f"wall-{n}.npy", wall, draw)
    wanted = _settings(args, draw) | {"counts": dict(counts), "unreadable": sorted(set(unreadable))}
    files.write_text(args.out / "pairs.json", json.dumps(wanted, indent=1))
    log.info("%s -> %s", ", ".join(f"{n} pictures to {split} with" for split, n in counts.items()), args.out)


def load(folder: Path, split: str) -> list[tuple[U8, U8]]:
    """(photo, drawing) of each picture of a split, by name, (h, w, 3) uint8 both; mapped: RAM holds what is used.

    Raises UsageError where there are none, or a file is none of ours.
    """
    found = sorted((folder / split).glob("*.npy"))
    if not found:
        raise UsageError(f"{folder} has no pictures to {split} with; run `python -m train picture-pairs` first")
    return [_mapped(file) for file in found]


def _mapped(file: Path) -> tuple[U8, U8]:
    """A stored pair. Not numpy's memmap, which keeps a file open for each: there are thousands."""
    try:
        with file.open("rb") as stream:
            np.lib.format.read_magic(stream)
            shape, _, kind = np.lib.format.read_array_header_1_0(stream)
            begin = stream.tell()
        whole = torch.from_file(str(file), shared=False, size=file.stat().st_size, dtype=torch.uint8).numpy()
        photo, drawing = whole[begin:].reshape(shape)
    except (ValueError, RuntimeError) as error:
        raise UsageError(f"{file} is no pair of pictures ({error}); remove it and run `picture-pairs` again") from None
    if kind != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3:
        raise UsageError(f"{file} is no pair of pictures ({kind} {shape}); remove it and run `picture-pairs` again")
    return photo, drawing


def _jobs(args: Args) -> list[Job]:
    """Every picture to make, its split and size fixed by the photo's name."""
    jobs: list[Job] = []
    names = dict[str, Path]()
    for folder in args.photos:
        for photo in photo_files.found(folder)[: args.limit or None]:
            split = photo_files.split_of(photo.name)
            if split not in SPLITS:
                continue
            if photo.stem in names:
                raise UsageError(f"{names[photo.stem]} and {photo} have the same name; rename one of them")
            names[photo.stem] = photo
            own = int(hashlib.sha256(photo.name.encode()).hexdigest()[:8], 16)
            for k, size in enumerate(args.scales):
                jobs.append((photo, args.out / split / f"{photo.stem}-{k}.npy", size, (args.seed, k, own)))
    if not jobs:
        raise UsageError("every photo is one that is kept for testing; give more photos")
    return jobs


def _settings(args: Args, draw: teachers.Draw) -> dict[str, Any]:
    code = Path(inspect.getfile(draw)).read_bytes()
    return {
        "teacher": args.teacher, "teacher_sha256": hashlib.sha256(code).hexdigest(), "seed": args.seed,
        "scales": [list(s) for s in args.scales], "sources": [folder.resolve().name for folder in args.photos],
    }  # fmt: skip


def _begin(args: Args, draw: teachers.Draw) -> None:
    """Write down what the folder is made with. Raises UsageError where it was begun with something else."""
    note, wanted = args.out / "pairs.json", _settings(args, draw)
    if note.is_file():
        before = json.loads(note.read_text())
        other = [key for key, value in wanted.items() if before.get(key) != value]
        if other:
            raise UsageError(f"{args.out} was begun with another {other[0]}; remove it or give another --out")
    else:
        files.write_text(note, json.dumps(wanted, indent=1))


@contextmanager
def _workers(count: int, work: Callable[[Job], bool]) -> Iterator[Callable[[Iterable[Job]], Iterable[bool]]]:
    """What maps ``work`` over jobs: threads that share the GPU, or processes."""
    if not torch.cuda.is_available():
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # a picture is many small steps, which several threads wait for more than they gain
        try:
            with processes(count, work) as run:
                yield run
        finally:
            torch.set_num_threads(threads)
        return
    pool = ThreadPoolExecutor(GPU_THREADS)
    try:
        yield lambda jobs: pool.map(work, jobs)
    finally:
        pool.shutdown(cancel_futures=True)


def _make(teacher: str, job: Job) -> bool:
    """Read, size, draw and write one picture; False where the photo is none."""
    photo, out, size, seed = job
    picture = photo_files.read_rgb(photo)
    if picture is None or min(picture.shape[:2]) < STEP:
        return False
    picture = sized(picture, np.random.default_rng(seed).uniform(*size))
    _write_pair(out, picture, teachers.load(teacher, whole_picture=True))
    return True


def _write_pair(out: Path, picture: U8, draw: teachers.Draw) -> None:
    stream = io.BytesIO()
    np.save(stream, np.stack([picture, draw(picture, None, None)]))
    files.write(out, stream.getvalue())


def sized(picture: U8, short: float) -> U8:
    """(h, w, 3) with a short side of about ``short`` px, enlarged by MAX_ENLARGED at most, its middle cut to STEPs."""
    h, w = picture.shape[:2]
    scale = min(short / min(h, w), MAX_ENLARGED, MAX_LONG_PX / max(h, w))
    rows, columns = max(STEP, round(h * scale)), max(STEP, round(w * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    resized = np.asarray(cv2.resize(picture, (columns, rows), interpolation=way), np.uint8)
    top, left = rows % STEP // 2, columns % STEP // 2
    return np.ascontiguousarray(resized[top : top + rows // STEP * STEP, left : left + columns // STEP * STEP])
