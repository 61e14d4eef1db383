"""Pairs on disk -> batches: the degraded photo goes in, the clean photo's drawing and matte are the target.

Which pairs make step n, and how each is degraded, follows from (seed, n) alone: a resumed run sees what an
uninterrupted one would have seen.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from foundation.errors import UsageError
from streamtoon.types import U8
from train.data.degrade_camera import degrade
from train.data.pairs import PAIR_SHAPES

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pairs:
    """(N, 256, 256, 3) photos, (N, 256, 256) drawings and mattes, uint8, read from disk as needed."""

    images: U8
    drawings: U8
    mattes: U8


@dataclass(frozen=True, slots=True)
class Batch:
    """(N, 3, h, w) photos in [-1, 1], (N, 1, h, w) drawings and mattes in [0, 1], float32."""

    photos: Tensor
    drawings: Tensor
    mattes: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        return Batch(*(x.to(device) for x in (self.photos, self.drawings, self.mattes)))


def load(folder: Path, split: str) -> Pairs:
    """The pairs of one split. Raises UsageError where they are missing or of the wrong shape."""
    try:
        parts = [np.load(folder / f"{split}_{part}.npy", mmap_mode="r") for part in PAIR_SHAPES]
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder} holds no {split} pairs ({error}); run `python -m train pairs` first") from None
    for array, shape in zip(parts, PAIR_SHAPES.values(), strict=True):
        if array.shape[1:] != shape or array.dtype != np.uint8 or len(array) != len(parts[0]) or not len(array):
            raise UsageError(f"{folder} holds {split} pairs of shape {array.shape}; run `python -m train pairs` again")
    return Pairs(*parts)


def batch(pairs: Pairs, chosen: list[int], seeds: list[list[int]] | None) -> Batch:
    """The pairs ``chosen`` as tensors, photos degraded by their ``seeds``, or clean without."""
    photos = [np.asarray(pairs.images[i]) for i in chosen]
    if seeds is not None:
        photos = [degrade(np.random.default_rng(s), p) for s, p in zip(seeds, photos, strict=True)]
    return Batch(
        to_tensor(np.stack(photos)),
        torch.from_numpy(np.stack([pairs.drawings[i] for i in chosen])[:, None]).float() / 255,
        torch.from_numpy(np.stack([pairs.mattes[i] for i in chosen])[:, None]).float() / 255,
    )


def to_tensor(images: U8) -> Tensor:
    """(N, h, w, 3) uint8 -> (N, 3, h, w) float32 in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))).float() / 127.5 - 1


def ahead(make: Callable[[int], T], start: int) -> Generator[T]:
    """make(start), make(start + 1), ...; the next two are made ready in the background."""
    with ThreadPoolExecutor(1) as pool:
        waiting = [pool.submit(make, start), pool.submit(make, start + 1)]
        try:
            while True:
                start += 1
                ready = waiting.pop(0).result()
                waiting.append(pool.submit(make, start + 1))
                yield ready
        finally:
            for future in waiting:
                future.cancel()


def picks(seed: int, places: Iterable[int], total: int) -> list[int]:
    """Which of ``total`` pictures stand at these places of an endless sequence of shuffled epochs."""
    return [int(order(seed, p // total, total)[p % total]) for p in places]


def order(seed: int, epoch: int, total: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The order of one epoch."""
    return np.random.default_rng([seed, epoch, total]).permutation(total)
