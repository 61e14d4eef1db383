"""How near a drawing is to the teacher's, and what of the photo it keeps, by torchmetrics and pytorch-msssim."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics.functional import pearson_corrcoef, spearman_corrcoef
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

_psnr: Any = peak_signal_noise_ratio
_ssim: Any = structural_similarity_index_measure
_pearson: Any = pearson_corrcoef
_spearman: Any = spearman_corrcoef


def psnr(out: Tensor, target: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of pictures in 0..1, over the whole batch."""
    return float(_psnr(out, target, data_range=1.0))


def ssim(out: Tensor, target: Tensor) -> float:
    """Mean structural similarity (Wang et al. 2004) of (N, C, h, w) in 0..1."""
    return float(_ssim(out, target, data_range=1.0))


def similarity(out: Tensor, target: Tensor) -> Tensor:
    """Mean MS-SSIM (Wang, Simoncelli and Bovik 2003) of (N, C, h, w) in 0..1, sides above 160."""
    from pytorch_msssim import ms_ssim

    value: Tensor = ms_ssim(out, target, data_range=1.0, size_average=True)
    return value


def overlap(out: Tensor, target: Tensor) -> float:
    """Intersection over union of mattes cut at one half."""
    a, b = out > 0.5, target > 0.5
    return float((a & b).sum() / torch.clamp((a | b).sum(), min=1))


def slope(x: Tensor, y: Tensor) -> float:
    """Least-squares slope of ``y`` over ``x``, both (N,)."""
    x, y = x - x.mean(), y - y.mean()
    return float((x * y).sum() / torch.clamp((x * x).sum(), min=1e-9))


def correlation(x: Tensor, y: Tensor) -> float:
    """Pearson's r of ``x`` and ``y``, both (N,) float; nan where one of them is constant or N is below 2."""
    return float(_pearson(x, y)) if len(x) > 1 and bool(x.std() > 0) and bool(y.std() > 0) else float("nan")


def rank_correlation(x: Tensor, y: Tensor) -> float:
    """Spearman's rho of ``x`` and ``y``, both (N,) float; nan where one of them is constant or N is below 2."""
    return float(_spearman(x, y)) if len(x) > 1 and bool(x.std() > 0) and bool(y.std() > 0) else float("nan")
