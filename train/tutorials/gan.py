"""A GAN from scratch: noise becomes points on eight heaps in a ring. ``python -m train.tutorials.gan --out gan.png``.

Goodfellow et al., "Generative Adversarial Nets" (NeurIPS 2014). The generator never sees a real point. It only learns
what would have fooled the discriminator, which learns at the same time what is real. The ring is the usual test because
a generator likes to give one heap, or to hop between them: **mode collapse** (Metz et al., ICLR 2017, figure 2). What
helps here, and in train/cyclegan.py:

- least squares instead of log loss (Mao et al., ICCV 2017): the gradient does not vanish on points far from the edge;
- a discriminator whose gain is bounded by spectral normalisation (Miyato et al., ICLR 2018): it cannot get so sure that
  there is nothing left to learn from it;
- momentum off (Adam beta1 = 0): both are chasing a target that moves;
- a moving average of the generator's weights: what comes out stops circling.

Exercises: take spectral_norm away; give ``--momentum 0.9``; give ``--noise 1``. Count the heaps.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import tyro
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from streamtoon.types import U8
from train.run.sample_sheet import write_png
from train.run.threads import torch_threads

HEAPS, RADIUS, WIDTH = 8, 2.0, 0.05


@dataclass
class Args:
    """Noise -> the ring."""

    out: Path = Path("gan.png")
    """picture to write: real points grey, made points in colour, every fifth of the run"""
    steps: int = 4000
    """turns of each player"""
    batch: int = 256
    """points a turn"""
    noise: int = 8
    """numbers a point is made from"""
    lr: float = 2e-3
    """learning rate of both; falls to zero"""
    momentum: float = 0.0
    """Adam's beta1"""
    seed: int = 0
    """everything random"""


def centres() -> Tensor:
    """(8, 2) middles of the heaps."""
    angle = torch.arange(HEAPS) * (2 * math.pi / HEAPS)
    return RADIUS * torch.stack([angle.cos(), angle.sin()], dim=1)


def real(count: int) -> Tensor:
    """(count, 2) points of the ring."""
    return centres()[torch.randint(HEAPS, (count,))] + WIDTH * torch.randn(count, 2)


def generator(noise: int) -> nn.Module:
    """(N, noise) -> (N, 2)."""
    return nn.Sequential(nn.Linear(noise, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 2))


def discriminator() -> nn.Module:
    """(N, 2) -> (N, 1): 1 real, 0 made. The factor gives back the sharpness that bounded layers cannot have."""

    class Sharper(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 8 * x

    layers = [spectral_norm(nn.Linear(a, b)) for a, b in ((2, 128), (128, 128), (128, 1))]
    return nn.Sequential(Sharper(), layers[0], nn.LeakyReLU(0.2), layers[1], nn.LeakyReLU(0.2), layers[2])


def modes(points: Tensor) -> tuple[int, float]:
    """Heaps that got at least a fortieth of the points within 4 widths, and the part of the points on any heap."""
    distance, heap = torch.cdist(points, centres()).min(dim=1)
    good = distance < 4 * WIDTH
    counts = torch.bincount(heap[good], minlength=HEAPS)
    return int((counts * 40 >= len(points)).sum()), float(good.float().mean())


def plot(points: Tensor, side: int = 240) -> U8:
    """(side, side, 3): the ring in grey, ``points`` over it."""
    picture = np.full((side, side, 3), 255, np.uint8)
    for cloud, colour in ((real(1000), (200, 200, 200)), (points[:1000], (200, 40, 40))):
        for x, y in ((cloud / 3 + 1) * side / 2).tolist():
            cv2.circle(picture, (round(x), round(y)), 1, colour, -1)
    return picture


@torch_threads(1)  # matrices this small are quickest on one core
def train(args: Args) -> Tensor:
    """Play, draw the picture, return (2048, 2) points of the averaged generator."""
    torch.manual_seed(args.seed)
    make, judge = generator(args.noise), discriminator()
    average = copy.deepcopy(make)
    betas = (args.momentum, 0.99)
    makes, judges = (torch.optim.Adam(net.parameters(), args.lr, betas) for net in (make, judge))
    fixed, pictures = torch.randn(2048, args.noise), []
    for step in range(args.steps):
        for optimiser in (makes, judges):
            optimiser.param_groups[0]["lr"] = args.lr * (1 - step / args.steps)
        made = make(torch.randn(args.batch, args.noise))
        # the discriminator's turn: real points to 1, made points to 0; the generator is not told (detach)
        loss = (judge(real(args.batch)) - 1).square().mean() + judge(made.detach()).square().mean()
        judges.zero_grad()
        loss.backward()
        judges.step()
        # the generator's turn: whatever makes the discriminator say 1
        makes.zero_grad()
        (judge(made) - 1).square().mean().backward()
        makes.step()
        with torch.no_grad():
            for a, b in zip(average.parameters(), make.parameters(), strict=True):
                a.lerp_(b, 0.005)
            if (step + 1) % max(1, args.steps // 5) == 0:
                points = average(fixed)
                found, good = modes(points)
                print(f"step {step + 1}: {found} of {HEAPS} heaps, {100 * good:.0f} % of the points on one")
                pictures.append(plot(points))
    write_png(args.out, np.hstack(pictures))
    return torch.as_tensor(points)


if __name__ == "__main__":
    train(tyro.cli(Args, description=__doc__))
