"""Compact generators that deploy everywhere: BatchNorm that folds away, ReLU, nearest-up, channels in eights.

``munet24`` and ``munet32``: pixel-unshuffle x2 -> w channels at half size -> 2w -> 4w with four inverted residuals
(Sandler et al., MobileNetV2, CVPR 2018, section 3.3) -> back up with additive skips -> pixel-shuffle x2 (Shi et al.,
CVPR 2016).
Two heads share the last features: the drawing, and the matte that says where the person is. A constant hatch texture
joins before the drawing head: a convolution sees where a pixel's neighbours are but not where it is itself, so without
the texture it cannot know a stroke's phase and paints the average, a soft wash.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its name everywhere

from train.teachers.ink import texture

DRAWING_HEAD, MATTE_HEAD = 0, 1  # channels of what a generator returns


def conv(
    inp: int, out: int, size: int = 3, stride: int = 1, groups: int = 1, *, pad: int | None = None, relu: bool = True
) -> nn.Sequential:
    """Convolution, BatchNorm, ReLU: folds into one convolution at export. ``pad``: zeros around, size // 2 of them."""
    zeros = size // 2 if pad is None else pad
    layers = [nn.Conv2d(inp, out, size, stride, zeros, groups=groups, bias=False), nn.BatchNorm2d(out)]
    return nn.Sequential(*layers, *([nn.ReLU(inplace=True)] if relu else []))


class InvertedResidual(nn.Module):
    """x + project(depthwise(expand(x))), twice as wide inside."""

    def __init__(self, channels: int, size: int = 3) -> None:
        super().__init__()
        wide = 2 * channels
        self.layers = nn.Sequential(
            conv(channels, wide, 1), conv(wide, wide, size, groups=wide), conv(wide, channels, 1, relu=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) -> the same shape."""
        out: Tensor = x + self.layers(x)
        return out


class MUNet(nn.Module):
    """(N, 3, size, size) in [-1, 1] -> (N, heads, size, size) logits.

    Two heads are the drawing's paper and the matte; three are a picture's red, green and blue.
    """

    texture: Tensor

    def __init__(
        self, width: int = 24, size: int = 256, blocks: int = 4, *, hatch: bool = True, heads: int = 2
    ) -> None:
        super().__init__()
        w = width
        self.stem = conv(12, w)
        self.down1, self.down2 = conv(w, 2 * w, stride=2), conv(2 * w, 4 * w, stride=2)
        self.middle = nn.Sequential(*(InvertedResidual(4 * w, 5) for _ in range(blocks)))
        # where in the crop: faces are aligned, so a mouth or a shoulder has its place
        self.rows = nn.Parameter(torch.zeros(1, 4 * w, size // 8, 1))
        self.columns = nn.Parameter(torch.zeros(1, 4 * w, 1, size // 8))
        # the whole picture's light and tone, seen at once: what tells a dark room from dark skin
        self.context = nn.Sequential(nn.Conv2d(4 * w, 4 * w, 1), nn.ReLU(inplace=True), nn.Conv2d(4 * w, 4 * w, 1))
        self.narrow2, self.up2 = conv(4 * w, 2 * w, 1, relu=False), conv(2 * w, 2 * w)
        self.fine = InvertedResidual(2 * w)
        self.narrow1, self.up1 = conv(2 * w, w, 1, relu=False), conv(w, w)
        waves = torch.from_numpy(np.round(texture(size) * 255).astype(np.uint8))[None]
        self.register_buffer("texture", F.pixel_unshuffle(waves, 2) if hatch else None, persistent=False)
        self.head = conv(w + (8 if hatch else 0), w)
        self.out = nn.Conv2d(w, 4 * heads, 3, padding=1)
        nn.init.zeros_(self.context[2].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.context[2].bias)  # type: ignore[arg-type]
        with torch.no_grad():  # ICNR (Aitken et al., arXiv 1707.02937): sub-pixels start equal, so no checkerboard
            self.out.weight.copy_(self.out.weight[::4].repeat_interleave(4, dim=0))
            self.out.bias.zero_()  # type: ignore[union-attr]

    def forward(self, x: Tensor) -> Tensor:
        """Logits; channel DRAWING_HEAD: above 0 is paper, below is ink; channel MATTE_HEAD: above 0 is the person."""
        half = self.stem(F.pixel_unshuffle(x, 2))
        quarter = self.down1(half)
        small = self.middle(self.down2(quarter) + (self.rows + self.columns))
        small = small + self.context(small.mean(dim=(2, 3), keepdim=True))
        quarter = self.up2(quarter + F.interpolate(self.narrow2(small), scale_factor=2.0, mode="nearest"))
        quarter = self.fine(quarter)
        last = self.up1(half + F.interpolate(self.narrow1(quarter), scale_factor=2.0, mode="nearest"))
        if self.texture is not None:
            waves = self.texture.to(last.dtype).expand(x.shape[0], -1, -1, -1)  # whole numbers: a byte each in the file
            last = torch.cat([last, waves * (2 / 255) - 1], dim=1)
        out: Tensor = F.pixel_shuffle(self.out(self.head(last)), 2)
        return out


# gain and shift of each head's sigmoid; a matte in doubt leans to the person: a hole in a head is worse than a rim
SIGMOID_GAIN_SHIFT: Final = {DRAWING_HEAD: (1.06, -0.03), MATTE_HEAD: (1.6, -0.15)}


def drawing(logits: Tensor) -> Tensor:
    """(N, 2, h, w) logits -> (N, 1, h, w): 1 paper, 0 ink; a little beyond both, so that clipping makes them pure."""
    return (
        torch.sigmoid(logits[:, DRAWING_HEAD : DRAWING_HEAD + 1]) * SIGMOID_GAIN_SHIFT[DRAWING_HEAD][0]
        + SIGMOID_GAIN_SHIFT[DRAWING_HEAD][1]
    )


def matte(logits: Tensor) -> Tensor:
    """(N, 2, h, w) logits -> (N, 1, h, w): 1 on the person; the slope is steep enough to saturate off the edge."""
    return (
        torch.sigmoid(logits[:, MATTE_HEAD : MATTE_HEAD + 1]) * SIGMOID_GAIN_SHIFT[MATTE_HEAD][0]
        + SIGMOID_GAIN_SHIFT[MATTE_HEAD][1]
    )


def picture(logits: Tensor) -> Tensor:
    """(N, 3, h, w) logits -> (N, 3, h, w) RGB in [-1, 1]."""
    return torch.tanh(logits)


def freeze_statistics(net: nn.Module) -> None:
    """Freeze BatchNorm's statistics, so that what is trained last is what is deployed."""
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eval()
