"""A style against pairs of photos and sketches, by the figures the sketch literature uses.

The photo is brought to the style's size, drawn, brought back and compared at the pictures' own size. SSIM, MS-SSIM and
PSNR by library, FSIM by fsim.py; feature distance, Frechet and kernel distance are proxies (features.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from engines import MAX_BATCH, Engine
from foundation.errors import UsageError
from streamtoon.types import U8
from train.data import batches, photo_files
from train.evaluation import face_preservation, features, fsim, metrics
from train.run import sample_sheet


def read(folder: Path) -> dict[str, tuple[U8, U8]]:
    """The (photo, sketch) pairs of a folder by name. Raises UsageError where names or sizes do not match."""
    names = {}
    for part in ("photos", "sketches"):
        if not (folder / part).is_dir():
            raise UsageError(f"{folder} holds no folder {part}; pairs are photos/NAME and sketches/NAME")
        names[part] = {
            f.stem: f for f in sorted((folder / part).iterdir()) if f.suffix.lower() in photo_files.PICTURE_SUFFIXES
        }
    photos, sketches = names["photos"], names["sketches"]
    alone = sorted(photos.keys() ^ sketches.keys())
    if alone or not photos:
        what = f"{len(alone)} pictures without a partner ({', '.join(alone[:3])})" if alone else "no pictures"
        raise UsageError(f"{folder} holds {what}; photos/ and sketches/ need equal names")
    found = {}
    for name, file in photos.items():
        photo, sketch = photo_files.read_rgb(file), photo_files.read_rgb(sketches[name])
        if photo is None or sketch is None:
            raise UsageError(f"pair {name} in {folder} cannot be read as pictures; remove it")
        if photo.shape != sketch.shape:
            sizes = " and ".join(f"{p.shape[1]}x{p.shape[0]}" for p in (photo, sketch))
            raise UsageError(f"pair {name} in {folder} is of different sizes ({sizes}); align them first")
        found[name] = (photo, sketch)
    return found


def sides(size: str) -> tuple[int, int]:
    """``"200x250"`` -> (200, 250)."""
    parts = size.lower().split("x")
    if len(parts) != 2 or not all(p.isdigit() and int(p) >= 16 for p in parts):
        raise UsageError(f"--size is {size!r}; it must be WIDTHxHEIGHT, each at least 16")
    return int(parts[0]), int(parts[1])


def resized(pictures: list[U8], size: tuple[int, int]) -> U8:
    """(N, h, w, 3) at (width, height)."""
    return np.stack([np.asarray(cv2.resize(p, size, interpolation=cv2.INTER_AREA), np.uint8) for p in pictures])


def compare(folder: Path, size: str, engine: Engine, side: int, squeezenet: Path | None) -> dict[str, Any]:
    """Figures of the style's drawings against the sketches of ``folder``.

    ``size``: WIDTHxHEIGHT to compare at. ``engine`` draws crops of ``side`` px.
    """
    native, pairs = sides(size), read(folder)
    crops = resized([photo for photo, _ in pairs.values()], (side, side))
    parts = [engine(crops[i : i + MAX_BATCH]) for i in range(0, len(crops), MAX_BATCH)]
    drawn = resized(list(sample_sheet.on_paper(np.concatenate(parts))), native)
    sketches = resized([sketch for _, sketch in pairs.values()], native)
    net = features.SqueezeNet(squeezenet)
    return {"pairs": len(pairs), "size": size} | figures(net, drawn, sketches)


def figures(net: features.SqueezeNet, drawn: U8, sketches: U8) -> dict[str, float]:
    """All figures of (N, h, w, 3) uint8 pictures against their targets."""
    a, b = batches.to_tensor(drawn), batches.to_tensor(sketches)
    luma = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    x, y = ((p / 2 + 0.5) for p in (a, b))
    grey_x, grey_y = ((p * luma).sum(dim=1, keepdim=True) for p in (x, y))
    one, two = ((p[:, 0] * 255).round().to(torch.uint8).numpy() for p in (grey_x, grey_y))
    out = {
        "psnr": metrics.psnr(x, y),
        "ssim": metrics.ssim(grey_x, grey_y),
        "fsim": float(
            torch.cat(
                [fsim.fsim(p, q) for p, q in zip(torch.split(grey_x, 1), torch.split(grey_y, 1), strict=True)]
            ).mean()
        ),
        "edge_f1": float(np.mean([face_preservation.edge_f1(p, q) for p, q in zip(one, two, strict=True)])),
        f"{net.name}_distance": float(
            np.mean([float(features.distance(net, a[i : i + 1], b[i : i + 1])) for i in range(len(a))])
        ),
    }
    if min(x.shape[2:]) > 160:  # five scales of an 11 px window
        out["ms_ssim"] = float(metrics.similarity(grey_x, grey_y))
    if len(a) > 1:
        ours, theirs = features.embed(net, a), features.embed(net, b)
        out |= {
            f"{net.name}_fid": features.frechet(ours, theirs),
            f"{net.name}_kid": features.kernel(ours, theirs),
        }
    return out


def table(result: dict[str, Any]) -> str:
    """The figures as Markdown."""
    rows = [f"| {k} | {v:.4g} |" for k, v in result.items() if isinstance(v, float)]
    return "\n".join([f"{result['pairs']} pairs at {result['size']}", "", "| figure | value |", "|---|---|", *rows])
