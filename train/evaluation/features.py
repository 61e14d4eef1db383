"""What a network sees in pictures, and how far two sets of pictures are apart in it.

SqueezeNet 1.0 (Iandola et al., arXiv 1602.07360) stands in for VGG and Inception, whose weights are large: the figures
are proxies, good for ranking runs on one data set, not comparable to published FID and KID. Without its weights a
SqueezeNet with random weights is used, and figures are called ``random``: still a two-sample test, only a weaker one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its name everywhere
from torchmetrics.image.fid import FrechetInceptionDistance

from foundation.errors import UsageError

FIRE_CHANNELS = {2: (96, 16, 64), 3: (128, 16, 64), 4: (128, 32, 128), 5: (256, 32, 128), 6: (256, 48, 192),
         7: (384, 48, 192), 8: (384, 64, 256), 9: (512, 64, 256)}  # number: (in, squeezed, each expansion)  # fmt: skip


class Fire(nn.Module):
    """Squeeze with 1x1, expand with 1x1 and 3x3."""

    def __init__(self, inp: int, small: int, out: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inp, small, 1)
        self.expand1x1, self.expand3x3 = nn.Conv2d(small, out, 1), nn.Conv2d(small, out, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inp, h, w) -> (N, 2 out, h, w)."""
        x = F.relu(self.squeeze(x))
        return torch.cat([F.relu(self.expand1x1(x)), F.relu(self.expand3x3(x))], dim=1)


class SqueezeNet(nn.Module):
    """(N, 3, h, w) in [-1, 1] RGB -> features after conv1, fire3, fire5 and fire9; frozen. ``name``: what it is."""

    def __init__(self, weights: Path | None = None) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.conv1 = nn.Conv2d(3, 96, 7, 2)
            for number, sizes in FIRE_CHANNELS.items():
                self.add_module(f"fire{number}", Fire(*sizes))
            for layer in self.modules():
                if isinstance(layer, nn.Conv2d):
                    nn.init.kaiming_normal_(layer.weight)
        self.name = "random" if weights is None else "proxy"
        if weights is not None:
            self._read(weights)
        self.eval().requires_grad_(False)

    def _read(self, file: Path) -> None:
        try:
            with np.load(file) as stored:
                own = {k: torch.from_numpy(stored[k]) for k in self.state_dict()}
            self.load_state_dict(own)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            why = str(error).splitlines()[0]
            raise UsageError(f"SqueezeNet weights {file} cannot be read: {why}; give the .npz of version 1.0") from None

    def forward(self, x: Tensor) -> list[Tensor]:
        """Features of four depths."""
        mean = torch.tensor([104.0, 117.0, 123.0], device=x.device).view(1, 3, 1, 1)  # Caffe's: BGR, 0..255
        x = (x.flip(1) + 1) * 127.5 - mean
        x = F.relu(self.conv1(x / 58 if self.name == "random" else x))  # a random net has not learned the scale
        out = [x]
        for number in FIRE_CHANNELS:
            if number in {2, 5, 9}:
                x = F.max_pool2d(x, 3, 2, ceil_mode=True)
            x = self.get_submodule(f"fire{number}")(x)
            if number in {3, 5, 9}:
                out.append(x)
        return out


@torch.no_grad()
def embed(net: SqueezeNet, pictures: Tensor) -> Tensor:
    """(N, 3, h, w) in [-1, 1] -> (N, 512): the deepest features, averaged over the picture."""
    device = next(net.parameters()).device
    scale = 20.0 if net.name == "proxy" else 2.0  # features of drawings come to about 1, so that distances can be read
    parts = [net(part.to(device))[-1].mean(dim=(2, 3)).cpu() / scale for part in torch.split(pictures, 16)]
    return torch.cat(parts)


def distance(net: nn.Module, a: Tensor, b: Tensor) -> Tensor:
    """Mean squared difference of unit-length features over a net's depths, as LPIPS without its learned weights."""
    pairs = zip(net(a), net(b), strict=True)
    return torch.stack(
        [(F.normalize(x, dim=1) - F.normalize(y, dim=1)).square().sum(dim=1).mean() for x, y in pairs]
    ).mean()


class _Given(nn.Module):
    """Stands where torchmetrics puts Inception: what it is given are features already."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.num_features = count

    def forward(self, x: Tensor) -> Tensor:
        """The same."""
        return x


def frechet(a: Tensor, b: Tensor) -> float:
    """Frechet distance of two sets of features (Heusel et al., NeurIPS 2017, eq. 6), both (N, C), N above 1."""
    distance: Any = FrechetInceptionDistance(feature=_Given(a.shape[1]))
    distance.update(a, real=True)
    distance.update(b, real=False)
    return float(distance.compute())


def kernel(a: Tensor, b: Tensor) -> float:
    """Kernel distance (Binkowski et al., ICLR 2018): unbiased MMD^2 with (x y / C + 1)^3, both (N, C), N above 1.

    torchmetrics' KID takes random subsets of equal size; this takes all there is and no random number of the run's.
    """
    x, y = a.double(), b.double()

    def k(p: Tensor, q: Tensor) -> Tensor:
        return (p @ q.T / p.shape[1] + 1) ** 3

    xx, yy, n, m = k(x, x), k(y, y), len(x), len(y)
    within = (xx.sum() - xx.trace()) / (n * (n - 1)) + (yy.sum() - yy.trace()) / (m * (m - 1))
    return float(within - 2 * k(x, y).mean())


def spread(a: Tensor) -> float:
    """Mean distance between different rows of (N, C), N above 1."""
    distances: Any = torch.cdist(a, a)
    return float(distances.sum() / (len(a) * (len(a) - 1)))


def nearest(a: Tensor, b: Tensor) -> float:
    """Mean distance from each row of ``a`` to the nearest row of ``b``."""
    return float(torch.cdist(a, b).min(dim=1).values.mean())
