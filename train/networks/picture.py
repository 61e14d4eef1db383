"""Networks that draw whole pictures of any size: RGB at half of the drawn size in, the drawing's planes out.

A 6x6 convolution of stride 2 -> three scales of inverted residuals (Sandler et al., MobileNetV2, CVPR 2018) -> back up
with additive skips -> pixel-shuffle (Shi et al., CVPR 2016): x4 to the luma, x2 to the chroma of yuv420p. Both are
residuals: on the input's luma, enlarged bilinearly, and on its chroma, so a net that has learned nothing enlarges. That
copy is one fixed convolution beside the head: done at the drawn size it would take a sixth of the network's time.

No position and no size is in the graph. The input is framed by repeated edge pixels, which the last two convolutions,
without padding, use up again: the zeros around the others stay 8 drawn px away from the picture's border.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its name everywhere

from train.networks.munet import InvertedResidual, conv

RED, GREEN, BLUE = LUMA = 0.299, 0.587, 0.114  # BT.601
CHROMA: Final = 2 * (1 - BLUE), 2 * (1 - RED)  # (blue - luma) / CHROMA[0] is u, (red - luma) / CHROMA[1] is v
STEP: Final = 8  # height and width of the input are multiples of it
FRAME: Final = 4  # px of repeated edge around the input


class PictureNet(nn.Module):
    """(N, 3, h, w) RGB, h and w multiples of 8 -> luma (N, 1, 2h, 2w) and chroma (N, 2, h, w), u and v.

    0..1 in, about 0..1 out, chroma about -.5...5; nothing is clipped. ``widths``: channels at 1/2, 1/4 and 1/8 of the
    input's size; ``blocks``: inverted residuals there.
    """

    enlarge: Tensor

    def __init__(self, widths: tuple[int, int, int] = (24, 48, 72), blocks: tuple[int, int, int] = (1, 2, 4)) -> None:
        super().__init__()
        a, b, c = widths
        one, two, three = ([InvertedResidual(width) for _ in range(n)] for width, n in zip(widths, blocks, strict=True))
        self.fine = nn.Sequential(conv(3, a, 6, 2, pad=2), *one)
        self.middle = nn.Sequential(conv(a, b, stride=2), *two)
        self.coarse = nn.Sequential(conv(b, c, stride=2), *three)
        self.narrow2, self.up2 = conv(c, b, 1, relu=False), conv(b, b)
        self.narrow1, self.up1 = conv(b, a, 1, relu=False), conv(a, a, pad=0)
        self.head = nn.Conv2d(a, 24, 3)
        nn.init.zeros_(self.head.weight)  # sub-pixels start equal: no checkerboard (Aitken et al., arXiv 1707.02937)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]
        self.register_buffer("enlarge", _enlarge(), persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Luma and chroma of the drawing."""
        x = F.pad(x, (FRAME,) * 4, mode="replicate")
        fine = self.fine(x)
        middle = self.middle(fine)
        coarse = self.coarse(middle)
        middle = self.up2(middle + F.interpolate(self.narrow2(coarse), scale_factor=2.0, mode="nearest"))
        fine = self.up1(fine + F.interpolate(self.narrow1(middle), scale_factor=2.0, mode="nearest"))
        near = x[:, :, FRAME - 1 : 1 - FRAME, FRAME - 1 : 1 - FRAME]
        with torch.autocast(x.device.type, enabled=False):  # bfloat16 has too few bits for a smooth sky
            out = self.head(fine.to(self.head.weight.dtype)) + F.conv2d(near, self.enlarge, stride=2)
        return F.pixel_shuffle(out[:, :16], 4), F.pixel_shuffle(out[:, 16:], 2)


def _enlarge() -> Tensor:
    """(24, 3, 4, 4): what convolves RGB to 16 sub-pixels of bilinear luma, and 4 of u and of v as they are.

    One step of the stride is 2x2 input px, in the middle of the 4x4, hence 4x4 px of luma.
    """
    rows = torch.tensor([[1.0, 3, 0, 0], [0, 3, 1, 0], [0, 1, 3, 0], [0, 0, 3, 1]]) / 4
    spread = torch.einsum("ay,bx->abyx", rows, rows).reshape(16, 1, 4, 4)
    luma = torch.tensor(LUMA)
    red, _, blue = torch.eye(3)
    u, v = (blue - luma) / CHROMA[0], (red - luma) / CHROMA[1]
    here = torch.zeros(4, 1, 4, 4)
    here[[0, 1, 2, 3], 0, [1, 1, 2, 2], [1, 2, 1, 2]] = 1
    return torch.cat([spread * luma.view(1, 3, 1, 1), *(here * c.view(1, 3, 1, 1) for c in (u, v))])


def to_planes(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """(N, 3, 2h, 2w) RGB 0..1 -> luma (N, 1, 2h, 2w) 0..1, chroma (N, 2, h, w) -.5...5: BT.601, full range."""
    red, green, blue = torch.split(rgb, 1, dim=1)
    luma = RED * red + GREEN * green + BLUE * blue
    return luma, F.avg_pool2d(torch.cat([(blue - luma) / CHROMA[0], (red - luma) / CHROMA[1]], dim=1), 2)


def to_rgb(luma: Tensor, chroma: Tensor) -> Tensor:
    """The way back, chroma enlarged bilinearly, clipped to 0..1."""
    large = F.interpolate(chroma, scale_factor=2.0, mode="bilinear", align_corners=False)
    u, v = torch.split(large, 1, dim=1)
    red, blue = luma + CHROMA[1] * v, luma + CHROMA[0] * u
    return torch.cat([red, (luma - RED * red - BLUE * blue) / GREEN, blue], dim=1).clamp(0, 1)
