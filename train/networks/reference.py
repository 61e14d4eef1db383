"""The generators of the papers, for comparison and for machines with a graphics card: big, and not for live use.

``resnet9``: Zhu et al., "Unpaired Image-to-Image Translation" (ICCV 2017), appendix 7.2, after Johnson et al. 2016.
``unet``: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks" (CVPR 2017), appendix 6.1.1.
``encdec``: the same without the skips, as the paper's ablation has it.
All take (N, 3, h, w) in [-1, 1] and give (N, 3, h, w) logits; ``munet.picture`` makes them a picture. InstanceNorm
stays in the exported graph: fine in full precision, slow and coarse in INT8.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def normal(net: nn.Module) -> None:
    """Start convolutions at N(0, 0.02), as both papers do."""
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0.0, 0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class Residual(nn.Module):
    """x + two 3x3 convolutions, edges reflected."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.InstanceNorm2d(channels)]
        again = [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.InstanceNorm2d(channels)]
        self.layers = nn.Sequential(*half, nn.ReLU(inplace=True), *again)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) -> the same shape."""
        out: Tensor = x + self.layers(x)
        return out


class ResNet9(nn.Module):
    """c7s1-64, d128, d256, nine residual blocks, u128, u64, c7s1-3; sides must be multiples of 4."""

    def __init__(self, width: int = 64, blocks: int = 9) -> None:
        super().__init__()
        w = width

        def step(layer: nn.Module, channels: int) -> list[nn.Module]:
            return [layer, nn.InstanceNorm2d(channels), nn.ReLU(inplace=True)]

        self.layers = nn.Sequential(
            nn.ReflectionPad2d(3), *step(nn.Conv2d(3, w, 7), w),
            *step(nn.Conv2d(w, 2 * w, 3, 2, 1), 2 * w), *step(nn.Conv2d(2 * w, 4 * w, 3, 2, 1), 4 * w),
            *(Residual(4 * w) for _ in range(blocks)),
            *step(nn.ConvTranspose2d(4 * w, 2 * w, 3, 2, 1, output_padding=1), 2 * w),
            *step(nn.ConvTranspose2d(2 * w, w, 3, 2, 1, output_padding=1), w),
            nn.ReflectionPad2d(3), nn.Conv2d(w, 3, 7),
        )  # fmt: skip
        normal(self)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, h, w) in [-1, 1] -> (N, 3, h, w) logits."""
        out: Tensor = self.layers(x)
        return out


class UNet(nn.Module):
    """Halve ``depth`` times, double as often, each level's features skipped across; sides: multiples of 2 ** depth."""

    def __init__(self, width: int = 64, depth: int = 6, *, skips: bool = True) -> None:
        super().__init__()
        self.skips = skips
        sizes = [width * min(2**i, 8) for i in range(depth)]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for i, channels in enumerate(sizes):
            layers: list[nn.Module] = [] if i == 0 else [nn.LeakyReLU(0.2)]
            layers.append(nn.Conv2d(3 if i == 0 else sizes[i - 1], channels, 4, 2, 1))
            self.down.append(nn.Sequential(*layers, *([nn.BatchNorm2d(channels)] if i else [])))
        for i in reversed(range(depth)):
            below = sizes[i] * (2 if skips and i < depth - 1 else 1)
            out = sizes[i - 1] if i else 3
            layers = [nn.ReLU(), nn.ConvTranspose2d(below, out, 4, 2, 1), *([nn.BatchNorm2d(out)] if i else [])]
            if i >= 3:  # the paper's noise: dropout in the deep half
                layers.append(nn.Dropout(0.5))
            self.up.append(nn.Sequential(*layers))
        normal(self)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, h, w) in [-1, 1] -> (N, 3, h, w) logits."""
        seen = []
        for layer in self.down:
            x = layer(x)
            seen.append(x)
        for layer, skip in zip(self.up, [None, *reversed(seen[:-1])], strict=True):
            x = layer(x if skip is None or not self.skips else torch.cat([x, skip], dim=1))
        return x
