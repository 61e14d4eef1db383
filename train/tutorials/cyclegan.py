"""A CycleGAN on points: two clouds, no pairs, and the map between them. ``python -m train.tutorials.cyclegan``.

Zhu et al. (ICCV 2017). ``left`` is an uneven cloud of five heaps, ``right`` the same cloud turned by 30 degrees and
moved, other points of it. Which point belongs to which is never told; the question is whether the map is found.

- ``--cycle 0 --identity 0``: two GANs. The right heaps are hit, but in what order is
  chance: adversarial loss compares clouds, not points.
- With the cycle, there and back must be where one began, so the map is one to one and smooth enough to be undone.
- Even then any symmetry of the cloud would do as well (a photo may come back from an inverted drawing). The identity
  term and the heaps' different sizes are what picks one.

The picture: a point's colour is where it started. Right means: the colours lie as in the third panel, the truth.
Exercises: ``--cycle 0``; ``--identity 0`` with several ``--seed``; make the heaps equally large.
"""

from __future__ import annotations

import itertools
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

HEAPS = torch.tensor([[-1.2, -0.8], [0.1, 1.3], [1.2, 0.3], [0.3, -0.9], [-0.8, 0.6]])
SIZES = torch.tensor([0.34, 0.26, 0.18, 0.13, 0.09])
TURN, SHIFT = math.radians(30), torch.tensor([0.5, -0.3])


@dataclass
class Args:
    """Two clouds -> the map between them."""

    out: Path = Path("cyclegan.png")
    """picture to write: where points started, where they went, where they belong"""
    steps: int = 2500
    """turns of each player"""
    batch: int = 256
    """points of each cloud a turn"""
    lr: float = 1e-3
    """learning rate; falls to zero over the second half"""
    cycle: float = 10.0
    """weight of coming back"""
    identity: float = 0.5
    """weight of leaving points of the target cloud alone, in parts of the cycle's; fades to zero by half time"""
    seed: int = 0
    """everything random"""


def left(count: int) -> Tensor:
    """(count, 2) points of the first cloud."""
    return HEAPS[torch.multinomial(SIZES, count, replacement=True)] + 0.12 * torch.randn(count, 2)


def truth(points: Tensor) -> Tensor:
    """Where points of the first cloud belong in the second: what is to be found."""
    c, s = math.cos(TURN), math.sin(TURN)
    return points @ torch.tensor([[c, s], [-s, c]]) + SHIFT


def generator() -> nn.Module:
    """(N, 2) -> (N, 2)."""
    return nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))


def discriminator() -> nn.Module:
    """(N, 2) -> (N, 1): 1 real, 0 made; bounded layers see the clouds four times as large, so that edges are sharp."""
    layers = [spectral_norm(nn.Linear(a, b)) for a, b in ((2, 128), (128, 128), (128, 1))]
    scale = nn.Linear(2, 2, bias=False).requires_grad_(requires_grad=False)
    scale.weight.copy_(4 * torch.eye(2))
    return nn.Sequential(scale, layers[0], nn.LeakyReLU(0.2), layers[1], nn.LeakyReLU(0.2), layers[2])


@torch_threads(1)  # matrices this small are quickest on one core
def train(args: Args) -> float:
    """Play, draw the picture; how far points land from where they belong, on average, in parts of the cloud's size."""
    torch.manual_seed(args.seed)
    there, back, judge_right, judge_left = generator(), generator(), discriminator(), discriminator()
    makes = torch.optim.Adam(itertools.chain(there.parameters(), back.parameters()), args.lr, (0.5, 0.99))
    judges = torch.optim.Adam(itertools.chain(judge_right.parameters(), judge_left.parameters()), args.lr, (0.5, 0.99))
    for step in range(args.steps):
        done = step / args.steps
        for optimiser in (makes, judges):
            optimiser.param_groups[0]["lr"] = args.lr * min(1.0, 2 * (1 - done))
        a, b = left(args.batch), truth(left(args.batch))  # other points: nothing says which belong together
        made_b, made_a = there(a), back(b)
        loss = (judge_right(made_b) - 1).square().mean() + (judge_left(made_a) - 1).square().mean()
        loss = loss + args.cycle * ((back(made_b) - a).abs().mean() + (there(made_a) - b).abs().mean())
        identity = args.cycle * args.identity * max(0.0, 1 - 2 * done)
        loss = loss + identity * ((there(b) - b).abs().mean() + (back(a) - a).abs().mean())
        makes.zero_grad()
        loss.backward()
        makes.step()
        loss = (judge_right(b) - 1).square().mean() + judge_right(made_b.detach()).square().mean()
        loss = loss + (judge_left(a) - 1).square().mean() + judge_left(made_a.detach()).square().mean()
        judges.zero_grad()
        loss.backward()
        judges.step()
    with torch.no_grad():
        points = left(2000)
        made = there(points)
        off = float((made - truth(points)).norm(dim=1).mean() / points.std(dim=0).norm())
        home = float((back(made) - points).norm(dim=1).mean() / points.std(dim=0).norm())
    print(
        f"points land {off:.2f} cloud sizes from where they belong, and come back to {home:.2f} from where they began"
    )
    write_png(args.out, np.hstack([plot(points, points), plot(made, points), plot(truth(points), points)]))
    return off


def plot(points: Tensor, start: Tensor, side: int = 320) -> U8:
    """(side, side, 3): points coloured by where they started."""
    picture = np.full((side, side, 3), 255, np.uint8)
    hue = (torch.atan2(start[:, 1], start[:, 0]) / math.pi + 1) * 89.5
    colours = cv2.cvtColor(np.array([[[h, 220, 200] for h in hue.tolist()]], np.uint8), cv2.COLOR_HSV2RGB)[0]
    for (x, y), colour in zip(((points / 2.5 + 1) * side / 2).tolist(), colours.tolist(), strict=True):
        cv2.circle(picture, (round(x), round(y)), 2, colour, -1)
    return picture


if __name__ == "__main__":
    train(tyro.cli(Args, description=__doc__))
