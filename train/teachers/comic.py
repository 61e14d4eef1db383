"""A printed comic of a whole picture, in colour: calm patches, soft steps of lightness, rich colours, an inker's lines.

Colours: anisotropic Kuwahara twice, soft quantisation of L* (Winnemoeller, Olsen, Gooch, "Real-Time Video
Abstraction", 2006), chroma times CHROMA. Lines: flow-based XDoG (Winnemoeller, Kyprianidis, Olsen 2012) on the
logarithm of lightness less its surroundings, so that lips, dark clothes and dark skin do not fill up.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from streamtoon.types import U8
from train.shapes import Contours
from train.teachers import _filters as filters
from train.teachers._flow import Flow, along, difference, flow, kuwahara

WHOLE_PICTURE: Final = True
UNIT: Final = 1.1  # px; every length below is in these, whatever the size of the picture
PAPER: Final = 0.78  # what the lines' threshold sees where nothing is drawn
CHROMA: Final = 1.28
STEPS: Final = 9  # of lightness
INK: Final = (0.07, 0.06, 0.09)


def draw(image: U8, mask: U8 | None = None, contours: Contours | None = None) -> U8:  # noqa: ARG001 - a teacher's
    """(h, w, 3) uint8 RGB -> the same drawn."""
    picture = filters.bilateral(filters.to_tensor(image), 0.07, 2.5 * UNIT)
    field = flow(picture, 3.2 * UNIT)
    calm = kuwahara(kuwahara(picture, field, 3.6 * UNIT), field, 2.8 * UNIT)
    lab = filters.rgb_to_lab(calm)
    lightness = 100 * (soft_steps(lab[0]) / 100).clamp(0, 1) ** 0.92  # shadows a little opened
    colour = filters.lab_to_rgb(torch.stack([lightness, *(CHROMA * lab[1:])]))
    drawn = ink(filters.grey(filters.blur(picture, 0.5 * UNIT)), field)
    dark = torch.tensor(INK, device=picture.device)[:, None, None] * (0.35 + colour.mean(0)).clamp_max(1)
    return filters.to_picture(colour + drawn * (dark - colour))


def ink(light: Tensor, field: Flow) -> Tensor:
    """(h, w) lightness 0..1 -> the lines' darkness, 0..1."""
    bright = (light + 0.06).log()
    local = PAPER + 0.35 * (bright - filters.blur(bright, 10 * UNIT)).clamp(-1.2, 0.4)
    edge = along(difference(local, field, 0.75 * UNIT, 24), field, 4 * UNIT)
    return torch.tanh(6 * (0.57 - edge)).clamp(0, 1)


def soft_steps(lightness: Tensor) -> Tensor:
    """L* 0..100 in STEPS steps: steep where light changes fast, gentle on smooth skin."""
    step = 100 / STEPS
    near = (lightness / step).floor() * step + step / 2
    gx, gy = filters.gradient(filters.blur(lightness, 1.5))
    sharp = 0.6 * (1.4 + 0.55 * torch.hypot(gx, gy)).clamp(1.4, 6)
    return near + step / 2 * torch.tanh((lightness - near) / step * 2 * sharp) / torch.tanh(sharp)
