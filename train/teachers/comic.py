"""A printed comic of a whole picture, in colour: calm patches, soft steps of lightness, rich colours, an inker's lines.

Colours: anisotropic Kuwahara twice, chroma times CHROMA; the whole in few tones in the end (Winnemoeller, Olsen, Gooch,
"Real-Time Video Abstraction", 2006). Ink: the pen's lines of ``line``, and blacks where hair or cloth is dark
and grey; what is dark and coloured, skin too, keeps its colour.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from streamtoon.types import U8
from train.shapes import Contours
from train.teachers import _filters as filters
from train.teachers._flow import Flow, along, flow, kuwahara
from train.teachers.line import lines
from train.tones import stepped

WHOLE_PICTURE: Final = True
UNIT: Final = 1.3  # px; every length below is in these, whatever the size of the picture
LINES: Final = 1.25  # times that for the ink's
CHROMA: Final = 1.3
TONES: Final = 7  # of luma, white and black among them
INK: Final = (0.04, 0.03, 0.06)
BLACK: Final = 19  # L* below which grey is filled in


def draw(image: U8, mask: U8 | None = None, contours: Contours | None = None) -> U8:  # noqa: ARG001 - a teacher's
    """(h, w, 3) uint8 RGB -> the same drawn."""
    picture = filters.bilateral(filters.to_tensor(image), 0.07, 2.5 * UNIT)
    field = flow(picture, 2.2 * UNIT)
    calm = filters.rgb_to_lab(kuwahara(kuwahara(picture, field, 3.6 * UNIT), field, 2.8 * UNIT))
    opened = 100 * (calm[0] / 100).clamp(0, 1) ** 0.86  # shadows: lines darken the whole
    colour = filters.lab_to_rgb(torch.stack([opened, *(CHROMA * calm[1:])]))
    light = filters.grey(filters.blur(picture, 0.4 * UNIT))
    ink = torch.maximum(lines(light, field, LINES * UNIT), blacks(calm, field))
    drawn = colour + ink * (torch.tensor(INK, device=picture.device)[:, None, None] - colour)
    luma = filters.grey(drawn)
    return filters.to_picture(drawn + stepped(luma, TONES) - luma)


def blacks(lab: Tensor, field: Flow) -> Tensor:
    """(3, h, w) L*a*b* of calm patches -> 0..1, 1 where the brush fills in."""
    chroma = filters.blur(torch.hypot(lab[1], lab[2]), 2 * UNIT)
    return torch.sigmoid((BLACK - 0.8 * (chroma - 8).clamp(0, 30) - along(lab[0], field, 3 * UNIT)) / 0.8)
