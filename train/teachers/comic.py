"""A printed comic of a whole picture, in colour: calm patches, soft steps of lightness, rich colours, an inker's lines.

Colours: anisotropic Kuwahara twice, soft quantisation of L* (Winnemoeller, Olsen, Gooch, "Real-Time Video
Abstraction", 2006), chroma times CHROMA. Ink: the pen's lines of ``line``, and blacks where hair or cloth is dark and
grey; what is dark and coloured, skin too, keeps its colour.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from streamtoon.types import U8
from train.shapes import Contours
from train.teachers import _filters as filters
from train.teachers._flow import Flow, along, flow, kuwahara
from train.teachers.line import lines

WHOLE_PICTURE: Final = True
UNIT: Final = 1.3  # px; every length below is in these, whatever the size of the picture
CHROMA: Final = 1.3
STEPS: Final = 7  # of lightness
STEEP: Final = 2.0  # how narrow the borders between steps are
INK: Final = (0.07, 0.06, 0.09)
BLACK: Final = 19  # L* below which grey is filled in


def draw(image: U8, mask: U8 | None = None, contours: Contours | None = None) -> U8:  # noqa: ARG001 - a teacher's
    """(h, w, 3) uint8 RGB -> the same drawn."""
    picture = filters.bilateral(filters.to_tensor(image), 0.07, 2.5 * UNIT)
    field = flow(picture, 2.2 * UNIT)
    calm = filters.rgb_to_lab(kuwahara(kuwahara(picture, field, 3.6 * UNIT), field, 2.8 * UNIT))
    opened = 100 * (calm[0] / 100).clamp(0, 1) ** 0.86  # shadows: lines darken the whole
    colour = filters.lab_to_rgb(torch.stack([soft_steps(opened), *(CHROMA * calm[1:])]))
    light = filters.grey(filters.blur(picture, 0.4 * UNIT))
    ink = torch.maximum(lines(light, field, UNIT), blacks(calm, field))
    return filters.to_picture(colour + ink * (torch.tensor(INK, device=picture.device)[:, None, None] - colour))


def blacks(lab: Tensor, field: Flow) -> Tensor:
    """(3, h, w) L*a*b* of calm patches -> 0..1, 1 where the brush fills in."""
    chroma = filters.blur(torch.hypot(lab[1], lab[2]), 2 * UNIT)
    return torch.sigmoid((BLACK - 0.8 * (chroma - 8).clamp(0, 30) - along(lab[0], field, 3 * UNIT)) / 0.8)


def soft_steps(lightness: Tensor) -> Tensor:
    """L* 0..100 in STEPS steps with soft borders."""
    step = 100 / STEPS
    middle = (lightness / step).floor() * step + step / 2
    return middle + step / 2 * torch.tanh((lightness - middle) / step * 2 * STEEP) / math.tanh(STEEP)
