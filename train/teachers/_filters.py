"""Filters on (c, h, w) float32 tensors, 0..1 RGB or planes of any kind, on the CPU or a GPU; whatever the size.

What OpenCV's functions of the same name compute, border reflected, so that a teacher draws the same on any device.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np
import torch
from torch import Tensor

from streamtoon.types import U8

LUMA: Final = (0.299, 0.587, 0.114)
TO_XYZ: Final = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
WHITE: Final = (0.950456, 1.0, 1.088754)  # D65


def to_tensor(picture: U8) -> Tensor:
    """(h, w, 3) uint8 -> (3, h, w) float32 0..1, on the GPU where there is one."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.from_numpy(np.ascontiguousarray(picture)).to(device).permute(2, 0, 1).float().div_(255).contiguous()


def to_picture(planes: Tensor) -> U8:
    """(3, h, w) or (h, w) float32, clipped to 0..1 -> (h, w, 3) uint8; one plane makes a grey picture."""
    whole = planes.clamp(0, 1).mul(255).add(0.5).to(torch.uint8)
    return np.ascontiguousarray(whole.expand(3, *whole.shape[-2:]).permute(1, 2, 0).cpu().numpy())


def grey(picture: Tensor) -> Tensor:
    """(3, h, w) -> (h, w): its luma."""
    return LUMA[0] * picture[0] + LUMA[1] * picture[1] + LUMA[2] * picture[2]


def _reflected(index: Tensor, size: int) -> Tensor:
    """Whole numbers of any size -> 0..size-1, reflected about the first and the last (``cba|abc`` without doubles)."""
    period = max(2 * size - 2, 1)
    index = index.remainder(period)
    return torch.where(index < size, index, period - index)


def padded(planes: Tensor, edge: int) -> Tensor:
    """(..., h, w) -> (..., h + 2 edge, w + 2 edge)."""
    h, w = planes.shape[-2:]
    rows, columns = (_reflected(torch.arange(-edge, n + edge, device=planes.device), n) for n in (h, w))
    return planes[..., rows[:, None], columns]


@lru_cache(maxsize=64)
def _blur_matrix(size: int, sigma: float, device: torch.device) -> Tensor:
    """(size, size) float32 that blurs a column of ``size`` px."""
    radius = round(8 * sigma + 1) // 2
    offsets = torch.arange(-radius, radius + 1)
    weights = torch.exp(-(offsets.double() ** 2) / (2 * sigma * sigma))
    matrix = torch.zeros(size, size, dtype=torch.float64)
    index = _reflected(torch.arange(size)[:, None] + offsets, size)
    matrix.scatter_add_(1, index, (weights / weights.sum()).expand(size, -1))
    return matrix.float().to(device)


def blur(planes: Tensor, sigma: float) -> Tensor:
    """Gaussian of ``sigma`` px of (..., h, w); two products of matrices, which cost the same whatever the sigma."""
    h, w = planes.shape[-2:]
    return _blur_matrix(h, sigma, planes.device) @ (planes @ _blur_matrix(w, sigma, planes.device).T)


def bilateral(picture: Tensor, sigma_colour: float, sigma: float) -> Tensor:
    """(3, h, w): mean of the neighbours within 1.5 ``sigma`` px, those of a similar colour above all."""
    h, w = picture.shape[-2:]
    radius = max(round(1.5 * sigma), 1)
    around = padded(picture, radius)
    total, weights = torch.zeros_like(picture), torch.zeros_like(picture[0])
    for y in range(-radius, radius + 1):
        for x in range(-radius, radius + 1):
            if x * x + y * y > radius * radius:
                continue
            seen = around[:, radius + y : radius + y + h, radius + x : radius + x + w]
            apart = (seen - picture).abs_().sum(0)
            near = -(x * x + y * y) / (2 * sigma * sigma)
            weight = apart.square_().mul_(-0.5 / sigma_colour**2).add_(near).exp_()
            total.addcmul_(seen, weight[None])
            weights += weight
    return total / weights


def rgb_to_lab(picture: Tensor) -> Tensor:
    """(3, h, w) sRGB 0..1 -> L* 0..100, a*, b* (D65)."""
    linear = torch.where(picture > 0.04045, ((picture + 0.055) / 1.055).clamp_min(0) ** 2.4, picture / 12.92)
    to_xyz = torch.tensor(TO_XYZ, device=picture.device) / torch.tensor(WHITE, device=picture.device)[:, None]
    xyz = torch.einsum("ij,jhw->ihw", to_xyz, linear)
    x, y, z = torch.where(xyz > 0.008856, xyz.clamp_min(1e-6) ** (1 / 3), 7.787 * xyz + 16 / 116)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def lab_to_rgb(lab: Tensor) -> Tensor:
    """The way back, clipped to 0..1."""
    y = (lab[0] + 16) / 116
    f = torch.stack([y + lab[1] / 500, y, y - lab[2] / 200])
    xyz = torch.where(f > 6 / 29, f**3, (f - 16 / 116) / 7.787)
    to_xyz = torch.tensor(TO_XYZ, dtype=torch.float64)
    from_xyz = (torch.linalg.inv(to_xyz) * torch.tensor(WHITE, dtype=torch.float64)).float().to(lab.device)
    linear = torch.einsum("ij,jhw->ihw", from_xyz, xyz).clamp(0, 1)
    return torch.where(linear > 0.0031308, 1.055 * linear.clamp_min(1e-6) ** (1 / 2.4) - 0.055, 12.92 * linear)


def gradient(plane: Tensor) -> tuple[Tensor, Tensor]:
    """(..., h, w) -> its Sobel derivatives along x and y, in units a px."""
    p = padded(plane, 1)
    across, down = (p[..., 2:] - p[..., :-2]) / 8, (p[..., 2:, :] - p[..., :-2, :]) / 8
    gx = across[..., :-2, :] + 2 * across[..., 1:-1, :] + across[..., 2:, :]
    gy = down[..., :-2] + 2 * down[..., 1:-1] + down[..., 2:]
    return gx, gy


def gaussian(distance: float, sigma: float) -> float:
    """1 at a distance of 0."""
    return math.exp(-(distance**2) / (2 * sigma**2))
