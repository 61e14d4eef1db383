"""A fixed sheet of samples: what goes in, what comes out, what the teacher drew. For looking at, every few minutes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from foundation import files
from streamtoon.types import U8
from train.data import batches
from train.networks import munet


@torch.no_grad()
def draw(net: nn.Module, images: U8) -> U8:
    """(N, h, w, 3) uint8 RGB -> (N, h, w, 4) uint8 RGBA, as the exported graph does it."""
    device = next(net.parameters()).device
    logits = net.eval()(batches.to_tensor(images).to(device, memory_format=torch.channels_last)).cpu()
    parts = torch.cat([munet.drawing(logits).expand(-1, 3, -1, -1), munet.matte(logits)], dim=1)
    return (parts * 255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()


def on_paper(rgba: U8) -> U8:
    """(..., 4) uint8 -> (..., 3) uint8: the person drawn on white paper."""
    alpha = rgba[..., 3:].astype(np.float32) / 255
    return np.asarray(rgba[..., :3] * alpha + 255 * (1 - alpha) + 0.5, np.uint8)


def tile(rows: list[U8]) -> U8:
    """Rows of (n, h, w, 3) pictures -> one picture."""
    return np.vstack([np.hstack(list(row)) for row in rows])


def samples(net: nn.Module, pairs: batches.Pairs, count: int = 10) -> U8:
    """``count`` held-out people: degraded photo, drawing, drawing on paper by the net's matte, teacher."""
    picks = list(range(0, len(pairs.images), max(1, len(pairs.images) // count)))[:count]
    part = batches.batch(pairs, picks, [[7, p] for p in picks])
    photos = to_u8(part.photos)
    drawn = draw(net, photos)
    teacher = (part.drawings * 255).to(torch.uint8).expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy()
    return tile([photos, drawn[..., :3], on_paper(drawn), teacher])


def to_u8(pictures: Tensor) -> U8:
    """(N, 3, h, w) in [-1, 1] -> (N, h, w, 3) uint8."""
    return ((pictures.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()


def write_png(file: Path, picture: U8) -> None:
    """Write (h, w, 3) uint8 RGB atomically."""
    files.write(file, cv2.imencode(".png", picture[:, :, ::-1])[1].tobytes())
