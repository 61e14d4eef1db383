"""What degrade_camera.py does to one picture, done to a batch on its device, for whole pictures: tensors in and out.

A GPU waits for nothing here: every picture gets every fault, of a strength of its own that is often zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its name everywhere

from train.networks import picture

# steps of JPEG at quality 50, in 1/255 (ITU-T T.81, table K.1)
JPEG_STEPS: Final = (
    (16, 11, 10, 16, 24, 40, 51, 61), (12, 12, 14, 19, 26, 58, 60, 55), (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62), (18, 22, 37, 56, 68, 109, 103, 77), (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101), (72, 92, 95, 98, 112, 100, 103, 99),
)  # fmt: skip
MAX_NOISE: Final = 0.04  # standard deviation at the network's input, 0..1
MAX_HAZE: Final = 0.2
GOOD_CAMERAS: Final = 0.4  # part of the pictures that are sharp and clean: bad ones alone teach lines that are too weak


@dataclass(frozen=True, slots=True)
class Dice:
    """Random numbers for ``count`` pictures, (count, 1, 1, 1) each, on their device."""

    count: int
    device: torch.device
    generator: torch.Generator | None = None

    def uniform(self, low: float, high: float, channels: int = 1) -> Tensor:
        """From ``low`` to ``high``."""
        shape = (self.count, channels, 1, 1)
        return low + (high - low) * torch.rand(shape, device=self.device, generator=self.generator)

    def sometimes(self, part: float, high: float, low: float = 0.0) -> Tensor:
        """From ``low`` to ``high`` for this part of the pictures, 0 for the others."""
        return (self.uniform(0, 1) < part) * self.uniform(low, high)

    def normal(self, channels: int, h: int, w: int) -> Tensor:
        """(count, channels, h, w), standard deviation 1."""
        return torch.randn((self.count, channels, h, w), device=self.device, generator=self.generator)


@cache
def _constants(device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Blur kernel (3, 1, 5, 5), JPEG's steps (8, 8) 0..1, cosines (8, 8). Made once: copies wait for a GPU."""
    blur, k = torch.tensor([1.0, 4, 6, 4, 1]) / 16, torch.arange(8)
    cosines = torch.cos((2 * k + 1) * k[:, None] * torch.pi / 16) / 2
    cosines[0] /= 2**0.5
    kernel = (blur[:, None] * blur).repeat(3, 1, 1, 1)
    return kernel.to(device), (torch.tensor(JPEG_STEPS) / 255).to(device), cosines.to(device)


def half_size(photos: Tensor) -> Tensor:
    """(N, 3, 2h, 2w) -> (N, 3, h, w): the network's input, by area."""
    return F.avg_pool2d(photos, 2)


def relight(dice: Dice, pictures: Tensor, strength: float) -> Tensor:
    """Exposure, tint, gamma, less colour; ``strength`` 1 is a webcam in any room, a tenth is a moment later."""
    x = pictures * torch.exp(strength * (dice.uniform(-0.7, 0.3) + dice.uniform(-0.12, 0.12, 3)))
    x = x.clamp(min=1e-4).pow(torch.exp(strength * dice.uniform(-0.3, 0.3)))
    grey = x.mean(dim=1, keepdim=True)
    return (grey + (x - grey) * (1 - strength * dice.sometimes(0.25, 1.0))).clamp(0, 1)


def haze(dice: Dice, x: Tensor, most: float) -> Tensor:
    """Less contrast, as behind a dirty lens or against the light."""
    much = dice.sometimes(0.3, most)
    return x * (1 - much) + much * dice.uniform(0.2, 0.9)


def soften(dice: Dice, x: Tensor) -> Tensor:
    """A little or much out of focus, seen with a quarter of the pixels, or sharpened by the camera."""
    blurred = F.conv2d(F.pad(x, (2, 2, 2, 2), mode="replicate"), _constants(x.device)[0], groups=3)
    far = F.interpolate(F.avg_pool2d(x, 4), scale_factor=4.0, mode="bilinear")
    a, b = dice.uniform(-0.8, 1).clamp(min=0), dice.sometimes(0.15, 0.8)
    return torch.lerp(torch.lerp(x, blurred, a - dice.sometimes(0.15, 0.8)), far, b)


def grain(dice: Dice, x: Tensor) -> Tensor:
    """Noise, shared by the colours or not, fine or in clumps of 2 and 4 px."""
    _, _, h, w = x.shape
    shared, own = dice.normal(1, h, w), dice.normal(3, h, w)
    two, four = (F.interpolate(dice.normal(3, h // n, w // n), size=(h, w), mode="bilinear") for n in (2, 4))
    noise = shared + dice.uniform(0, 1) * own + dice.sometimes(0.5, 1.5) * two + dice.sometimes(0.3, 1.0) * four
    return x + MAX_NOISE * dice.sometimes(0.8, 1.0).square() * noise


def compress(dice: Dice, x: Tensor) -> Tensor:
    """What JPEG and film codecs leave: 8x8 blocks of rounded cosines, chroma at half size; h and w multiples of 16."""
    luma, chroma = picture.to_planes(x)
    step = _constants(x.device)[1] * dice.uniform(0.15, 2.2)[..., None, None]
    packed = picture.to_rgb(_rounded(luma, step), _rounded(chroma, 1.5 * step))
    return torch.where(dice.uniform(0, 1) < 0.45, packed, x)


def _rounded(planes: Tensor, step: Tensor) -> Tensor:
    """(N, C, h, w) planes whose cosines are rounded to multiples of ``step`` (N, 1, 1, 1, 8, 8)."""
    n, c, h, w = planes.shape
    cosines = _constants(planes.device)[2]
    blocks = planes.reshape(n, c, h // 8, 8, w // 8, 8).transpose(3, 4)
    found = cosines @ blocks @ cosines.T
    kept = cosines.T @ (torch.round(found / step) * step) @ cosines
    return kept.transpose(3, 4).reshape(n, c, h, w)


def degrade(dice: Dice, photos: Tensor, light: float) -> Tensor:
    """(N, 3, 2h, 2w) clean RGB 0..1, 2h and 2w multiples of 32 -> (N, 3, h, w) as a camera sends it, of 8 bits.

    ``light``: how far its light is off, from what the drawing shows (see ``relight``).
    """
    good = dice.uniform(0, 1) < GOOD_CAMERAS
    x = half_size(torch.where(good, photos, soften(dice, photos)))
    x = haze(dice, relight(dice, x, light), min(light, MAX_HAZE))
    return (torch.where(good, x, compress(dice, grain(dice, x))).clamp(0, 1) * 255).round() / 255
