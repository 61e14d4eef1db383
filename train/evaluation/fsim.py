"""FSIM, how alike two pictures are in the structure an eye goes by: phase congruency and gradients.

Zhang, Zhang, Mou, Zhang: "FSIM: A Feature Similarity Index for Image Quality Assessment" (IEEE TIP 2011), equations 1
to 9, constants of section III. Phase congruency after Kovesi, "Image Features from Phase Congruency" (Videre 1999),
with log-Gabor filters of four scales and four orientations, written from the papers. The sketch literature reports it.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its name everywhere

FILTER_SCALES, FILTER_ORIENTATIONS = 4, 4
SHORTEST_WAVE_PX, WAVE_GROWTH, SIGMA_F, SIGMA_THETA = 6.0, 2.0, 0.55, 0.6545  # px, factor, log-Gabor bandwidth, radians
NOISE_DEVIATIONS = 2.0  # standard deviations above the mean noise energy that count as signal
PHASE_CONSTANT, GRADIENT_CONSTANT = 0.85, 160.0  # eq. 5 and 6
SCHARR_KERNEL: Final = ((3.0, 0.0, -3.0), (10.0, 0.0, -10.0), (3.0, 0.0, -3.0))


def fsim(a: Tensor, b: Tensor) -> Tensor:
    """(N, 1, h, w) luma in 0..1 -> (N,): 1 where equal. Large pictures are first averaged down to about 256 px."""
    shrink = max(1, round(min(a.shape[2:]) / 256))
    x, y = (F.avg_pool2d(p.double() * 255, shrink) for p in (a, b))
    pc1, pc2 = phase_congruency(x), phase_congruency(y)
    g1, g2 = gradient(x), gradient(y)
    alike = (
        (2 * pc1 * pc2 + PHASE_CONSTANT)
        / (pc1**2 + pc2**2 + PHASE_CONSTANT)
        * (2 * g1 * g2 + GRADIENT_CONSTANT)
        / (g1**2 + g2**2 + GRADIENT_CONSTANT)
    )
    weight = torch.maximum(pc1, pc2)  # eq. 9: places matter as far as either picture has structure there
    return ((alike * weight).sum(dim=(1, 2, 3)) / weight.sum(dim=(1, 2, 3)).clamp(min=1e-9)).float()


def gradient(x: Tensor) -> Tensor:
    """Magnitude by Scharr's operator (table I), edges replicated."""
    kernel = torch.tensor(SCHARR_KERNEL, dtype=x.dtype, device=x.device) / 16
    pair = torch.stack([kernel, kernel.T])[:, None]
    return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), pair).square().sum(dim=1, keepdim=True).sqrt()


def filters(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Log-Gabor transfer functions: radial (scales, h, w) and angular (orientations, h, w), zero frequency first."""
    fy, fx = (torch.fft.fftfreq(n, dtype=torch.float64) for n in (height, width))
    radius = (fy[:, None] ** 2 + fx[None, :] ** 2).sqrt()
    radius[0, 0] = 1.0
    lowpass = 1 / (1 + (radius / 0.45) ** 30)  # a square's corners hold frequencies no orientation shares
    theta = torch.atan2(-fy[:, None].expand_as(radius), fx[None, :].expand_as(radius))
    radial, angular = [], []
    for scale in range(FILTER_SCALES):
        centre = 1 / (SHORTEST_WAVE_PX * WAVE_GROWTH**scale)
        gabor = torch.exp(-((radius / centre).log() ** 2) / (2 * torch.tensor(SIGMA_F).double().log() ** 2)) * lowpass
        gabor[0, 0] = 0.0
        radial.append(gabor)
    for n in range(FILTER_ORIENTATIONS):
        away = theta - n * torch.pi / FILTER_ORIENTATIONS
        angular.append(torch.exp(-(torch.atan2(away.sin(), away.cos()) ** 2) / (2 * SIGMA_THETA**2)))
    return torch.stack(radial), torch.stack(angular)


def phase_congruency(x: Tensor) -> Tensor:
    """(N, 1, h, w) -> the same shape, 0..1: how far the phases agree over scales, whatever the contrast."""
    height, width = x.shape[2:]
    radial, angular = filters(height, width)
    spectrum = torch.fft.fft2(x[:, 0])
    energy, amplitude = torch.zeros_like(x[:, 0]), torch.zeros_like(x[:, 0])
    for spread in angular:
        bank = radial * spread  # (FILTER_SCALES, h, w)
        answers = torch.fft.ifft2(spectrum[:, None] * bank)  # real: even filter, imaginary: odd filter
        size = answers.abs()
        total = answers.sum(dim=1, keepdim=True)
        unit = total / total.abs().clamp(min=1e-4)
        along = answers.real * unit.real + answers.imag * unit.imag
        across = (answers.imag * unit.real - answers.real * unit.imag).abs()
        local = (along - across).sum(dim=1)
        # noise: the finest scale's median square is a Rayleigh variable's; scaled to the sum over all scales
        median = size[:, 0].square().flatten(1).quantile(0.5, dim=1)
        power = -median / torch.log(torch.tensor(0.5)) / (bank[0] ** 2).sum()
        both = (bank.sum(dim=0) + bank.sum(dim=0).flip(0, 1).roll((1, 1), (0, 1))) / 2  # of the even filters alone
        tau = (power * both.square().sum()).sqrt().view(-1, 1, 1)
        noise = tau * (torch.pi / 2) ** 0.5 + NOISE_DEVIATIONS * tau * (2 - torch.pi / 2) ** 0.5
        energy += (local - noise / 1.7).clamp(min=0)  # 1.7: Kovesi's empirical fit of the estimate
        amplitude += size.sum(dim=1)
    return (energy / amplitude.clamp(min=1e-4))[:, None].clamp(0, 1)
