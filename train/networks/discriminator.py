"""Who tells drawn from real: patch discriminators, what they are shown, and what they remember.

``Patch``: Isola et al. 2017 (PatchGAN); spectral normalisation after Miyato et al., ICLR 2018. ``same_change``: Zhao et
al., "Differentiable Augmentation for Data-Efficient GAN Training" (NeurIPS 2020). ``Pool``: Shrivastava et al., CVPR
2017, as CycleGAN uses it. The loss is the least squares of Mao et al., ICCV 2017.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its name everywhere
from torch.nn.utils.parametrizations import spectral_norm

from train.networks.reference import normal


class Patch(nn.Module):
    """(N, channels, h, w) in [-1, 1] -> (N, 1, h', w') realness of overlapping patches, 1 real, 0 not.

    A patch is 16, 34 or 70 px wide for 1, 2 or 3 ``layers``. ``spectral`` bounds each layer's gain and leaves the
    normalisation out; without it InstanceNorm, as in the papers.
    """

    def __init__(self, channels: int = 3, width: int = 64, layers: int = 3, *, spectral: bool = False) -> None:
        super().__init__()
        sizes = [width * min(2**i, 8) for i in range(layers + 1)]
        parts: list[nn.Module] = []
        for i, size in enumerate(sizes):
            inp, stride = (sizes[i - 1] if i else channels), (2 if i < layers else 1)
            parts.append(nn.Conv2d(inp, size, 4, stride, 1))
            if i and not spectral:
                parts.append(nn.InstanceNorm2d(size))
            parts.append(nn.LeakyReLU(0.2))
        self.layers = nn.Sequential(*parts, nn.Conv2d(sizes[-1], 1, 4, 1, 1))
        # where no layer may amplify, real and made come to differ by a tenth, too little for least squares to pull at
        self.gain = 4.0 if spectral else 1.0
        normal(self)
        if spectral:
            for layer in self.layers:
                if isinstance(layer, nn.Conv2d):
                    spectral_norm(layer)

    def forward(self, x: Tensor) -> Tensor:
        """Realness of each patch."""
        out: Tensor = self.gain * self.layers(x)
        return out


def least_squares(realness: Tensor, target: float) -> Tensor:
    """How far the patches are from ``target``: 1 for real, 0 for not."""
    return (realness.float() - target).square().mean()


Change = Callable[[Tensor], Tensor]


def same_change(count: int, device: torch.device, *, active: bool = True) -> Change:
    """A random change of (count, C, h, w) pictures that can be made again on others: real and fake get the same.

    Brightness, contrast, a shift of up to an eighth of the side, and a grey square over a quarter of it.
    """
    if not active:
        return lambda x: x
    light, contrast, dy, dx, cy, cx = torch.rand(6, count, 1, 1, 1, device=device)

    def change(x: Tensor) -> Tensor:
        h, w = x.shape[2:]
        x = x + (light - 0.5) * 0.5
        x = (x - x.mean(dim=(1, 2, 3), keepdim=True)) * (contrast + 0.5) + x.mean(dim=(1, 2, 3), keepdim=True)
        rows, columns = torch.arange(h, device=x.device), torch.arange(w, device=x.device)
        rows = rows + ((dy.view(-1, 1) - 0.5) * (h / 4)).round().long()  # (count, h)
        columns = columns + ((dx.view(-1, 1) - 0.5) * (w / 4)).round().long()
        room = F.pad(x, (1, 1, 1, 1))  # what is shifted in is grey
        picks = torch.arange(count, device=x.device).view(-1, 1, 1)
        y, z = (rows + 1).clamp(0, h + 1)[:, :, None], (columns + 1).clamp(0, w + 1)[:, None, :]
        x = room.permute(0, 2, 3, 1)[picks, y, z].permute(0, 3, 1, 2)
        top, left = (cy * h).long(), (cx * w).long()
        ys = torch.arange(h, device=x.device).view(1, 1, h, 1) - top
        xs = torch.arange(w, device=x.device).view(1, 1, 1, w) - left
        hidden = (ys.abs() * 8 < h) & (xs.abs() * 8 < w)
        shown: Tensor = x * ~hidden
        return shown

    return change


class Pool:
    """Fakes made earlier: a discriminator that sees them too does not chase the generator in circles."""

    def __init__(self, size: int) -> None:
        self.size, self.pictures = size, list[Tensor]()

    def __call__(self, fakes: Tensor) -> Tensor:
        """(N, C, h, w) -> as many: each, once the pool is full, by halves swapped for an older one."""
        out = []
        for fake in fakes.detach():
            if len(self.pictures) < self.size:
                self.pictures.append(fake)
                out.append(fake)
            elif self.size and bool(torch.rand(()) < 0.5):
                n = int(torch.randint(self.size, ()))
                out.append(self.pictures[n])
                self.pictures[n] = fake
            else:
                out.append(fake)
        return torch.stack(out)

    def state_dict(self) -> dict[str, Any]:
        """The pictures."""
        return {"pictures": self.pictures}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take them back."""
        self.pictures = list(state["pictures"])
