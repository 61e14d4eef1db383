"""Edge tangent flow of a picture, and filters that follow it: what the teachers of whole pictures share.

Structure tensor and flow: Kyprianidis and Doellner, "Image Abstraction by Structure Adaptive Filtering", 2008.
Flow-based difference of Gaussians: Kang, Lee, Chui, "Coherent Line Drawing", 2007; with soft thresholds: Winnemoeller,
Kyprianidis, Olsen, "XDoG", 2012. Anisotropic Kuwahara: Kyprianidis, Kang, Doellner, 2009.
Pictures are (c, h, w) float32 tensors, every length is in px of the picture given.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from train.teachers._filters import blur, gaussian, gradient, grey

RATIO: Final = 1.6  # sigma of the wide Gaussian over the narrow one's
SECTORS: Final = 8
STRIP_PX: Final = {"cpu": 1 << 13, "cuda": 1 << 20}  # px of which all samples are held at once: cache, or memory


@dataclass(frozen=True, slots=True)
class Flow:
    """tangent: (2, h, w) unit vectors x, y; certainty: (h, w) 0..1, 1 on an edge, 0 where nothing has a direction."""

    tangent: Tensor
    certainty: Tensor


def flow(picture: Tensor, sigma: float) -> Flow:
    """Tangents of (3, h, w), 0..1, from its structure tensor smoothed by ``sigma``."""
    gx, gy = gradient(picture)
    gx, gy = 2 * gx, 2 * gy
    e, g, f = blur(torch.stack([(gx * gx).sum(0), (gy * gy).sum(0), (gx * gy).sum(0)]), sigma)
    root = ((e - g) ** 2 + 4 * f * f).sqrt()
    large, small = (e + g + root) / 2, (e + g - root) / 2
    tangent = torch.stack([large - e, -f])
    length = torch.hypot(tangent[0], tangent[1])
    down = torch.tensor([0.0, 1.0], device=picture.device)[:, None, None]
    tangent = torch.where(length < 1e-7, down, tangent / length.clamp_min(1e-7))
    return Flow(tangent, (large - small) / (large + small + 2e-4))


def _places(like: Tensor) -> Tensor:
    """(2, h, w): x and y of every px of (..., h, w)."""
    h, w = like.shape[-2:]
    y, x = torch.meshgrid(torch.arange(h, device=like.device), torch.arange(w, device=like.device), indexing="ij")
    return torch.stack([x, y]).float()


def _look(picture: Tensor, places: Tensor, mode: str = "bilinear", border: str = "border") -> Tensor:
    """``picture`` (n, c, h, w) at ``places`` (n, 2, h', w') in px -> (n, c, h', w')."""
    h, w = picture.shape[-2:]
    size = torch.tensor([w, h], dtype=torch.float32, device=picture.device)
    grid = (2 * places.movedim(1, -1) + 1) / size - 1
    return grid_sample(picture, grid, mode=mode, padding_mode=border, align_corners=False)


def along(plane: Tensor, field: Flow, sigma: float) -> Tensor:
    """(h, w) smoothed along the tangents (line integral convolution with a Gaussian of ``sigma``)."""
    signs = torch.tensor([1.0, -1.0], device=plane.device)[:, None, None, None]
    places = _places(plane).expand(2, -1, -1, -1)  # one forwards, one backwards
    tangents, planes = field.tangent.expand(2, -1, -1, -1), plane.expand(2, 1, -1, -1)
    last = tangents * signs
    total, weights = plane.clone(), 1.0
    for step in range(1, math.ceil(2 * sigma) + 1):
        way = last
        if step > 1:
            way = _look(tangents, places, "nearest")
            way = torch.where((way * last).sum(1, keepdim=True) < 0, -way, way)
        last, places = way, places + way
        weight = gaussian(step, sigma)
        total += weight * _look(planes, places).sum(0)[0]
        weights += 2 * weight
    return total / weights


def difference(plane: Tensor, field: Flow, sigma: float, sharpness: float) -> Tensor:
    """(1 + p) G_sigma - p G_(1.6 sigma) of (h, w), across the tangents; p is ``sharpness``."""
    normal = torch.stack([-field.tangent[1], field.tangent[0]])
    reach = math.ceil(2.5 * sigma * RATIO)
    steps = range(-reach, reach + 1)
    narrow, wide = (np.array([gaussian(n, s) for n in steps]) for s in (sigma, RATIO * sigma))
    weights = (1 + sharpness) * narrow / narrow.sum() - sharpness * wide / wide.sum()
    places, total = _places(plane), torch.zeros_like(plane)
    for step, weight in zip(steps, weights.tolist(), strict=True):
        total += weight * _look(plane[None, None], (places + step * normal)[None])[0, 0]
    return total


@cache
def _sectors() -> tuple[Tensor, Tensor]:
    """Samples of the unit disc, (n, 2), and their weights in eight overlapping sectors, (8, n), each summing to 1."""
    side = np.linspace(-1, 1, 7)
    disc = np.array([(u, v) for u in side for v in side if u * u + v * v <= 1])
    distance, angle = (disc**2).sum(1), np.arctan2(disc[:, 1], disc[:, 0])
    way = np.cos(angle - np.arange(SECTORS)[:, None] * 2 * np.pi / SECTORS)
    weights = np.where(distance < 1e-9, 1 / SECTORS, np.maximum(way, 0) ** 6 * np.exp(-1.5 * distance))
    weights[weights <= 1e-2] = 0
    return torch.from_numpy(disc).float(), torch.from_numpy(weights / weights.sum(1, keepdims=True)).float()


def kuwahara(picture: Tensor, field: Flow, radius: float, hardness: float = 4.0) -> Tensor:
    """(3, h, w) as flat patches with crisp borders: means of eight sectors around a px, the calmest above all."""
    _, h, w = picture.shape
    disc, weights = (part.to(picture.device) for part in _sectors())
    a, b = radius * (1 + field.certainty), radius / (1 + field.certainty)
    tx, ty = field.tangent
    axes = torch.stack([a * tx, a * ty, -b * ty, b * tx]).view(2, 2, h, w)
    layers = torch.cat([picture, grey(picture)[None] ** 2])[None]  # a look brings colour and squared lightness
    places, out = _places(picture), torch.empty_like(picture)
    rows = max(1, STRIP_PX[picture.device.type] // w)
    for top in range(0, h, rows):
        strip = slice(top, top + rows)
        around = torch.einsum("na,achw->nchw", disc, axes[:, :, strip]) + places[:, strip]
        n, _, height, _ = around.shape
        seen = _look(layers, around.transpose(0, 1).reshape(1, 2, n * height, w), border="reflection")
        mean = torch.einsum("kn,cnp->kcp", weights, seen.view(4, n, height * w))
        colour, square = mean[:, :3], mean[:, 3]
        light = torch.einsum("kcp,c->kp", colour, torch.tensor([0.299, 0.587, 0.114], device=picture.device))
        deviation = 255 * (square - light**2).clamp_min(0).sqrt()
        calm = 1 / (1 + deviation**hardness)
        out[:, strip] = (torch.einsum("kp,kcp->cp", calm, colour) / calm.sum(0)).view(3, height, w)
    return out
