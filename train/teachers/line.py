"""A pen drawing of a whole picture, grey: flowing lines, solid blacks, three layers of diluted ink, clean paper.

Lines: flow-based XDoG (Winnemoeller, Kyprianidis, Olsen 2012) on the logarithm of lightness less its surroundings, so
that skin and cloth are paper however dark; thinner where they crowd. Blacks: what is dark in itself and not warm: hair
and cloth, not skin. Tones: soft thresholds of a calmed picture, as layers of wash over one another; they keep the order
of complexions, which lines alone would lose.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from streamtoon.types import U8
from train.shapes import Contours
from train.teachers import _filters as filters
from train.teachers._flow import Flow, along, difference, flow, kuwahara
from train.tones import stepped

WHOLE_PICTURE: Final = True
UNIT: Final = 1.1  # px; every length below is in these, whatever the size of the picture
PAPER: Final = 0.80  # what the lines' threshold sees where nothing is drawn
THRESHOLD: Final = 0.62
SHADES: Final = ((0.49, 0.020), (0.36, 0.016), (0.20, 0.012))  # lightness each layer begins below, its softness
TONES: Final = 5  # with black and white: what a layer adds is one of four steps


def draw(image: U8, mask: U8 | None = None, contours: Contours | None = None) -> U8:  # noqa: ARG001 - a teacher's
    """(h, w, 3) uint8 RGB -> the same drawn, grey."""
    picture = filters.bilateral(filters.to_tensor(image), 0.07, 2.5 * UNIT)
    field = flow(picture, 2.5 * UNIT)
    patches = kuwahara(picture, field, 5 * UNIT)
    ink = torch.maximum(lines(filters.grey(picture), field), blacks(patches, field))
    return filters.to_picture(stepped((1 - wash(filters.grey(patches))) * (1 - ink), TONES))


def lines(light: Tensor, field: Flow, unit: float = UNIT) -> Tensor:
    """(h, w) lightness 0..1 -> the lines' darkness, 0..1; ``unit``: px."""
    bright = (light + 0.06).log()
    local = PAPER + 0.45 * (bright - filters.blur(bright, 8 * unit)).clamp(-1.2, 0.4)
    edge = along(difference(local, field, 0.8 * unit, 22), field, 3.5 * unit)
    crowd = filters.blur(torch.tanh(8 * (THRESHOLD - edge)).clamp(0, 1), 10 * unit)
    return torch.tanh(8 * (THRESHOLD - 1.8 * (crowd - 0.13).clamp(0, 0.4) - edge)).clamp(0, 1)


def wash(light: Tensor) -> Tensor:
    """(h, w) lightness 0..1 of calm patches -> the tones' darkness, 0..1."""
    layers = torch.stack([torch.sigmoid((level - light) / soft) for level, soft in SHADES])
    return layers.sum(0) / (TONES - 1)


def blacks(patches: Tensor, field: Flow) -> Tensor:
    """(3, h, w) calm patches -> 0..1, 1 where the pen fills in."""
    light = along(filters.grey(patches), field, 3 * UNIT)
    colour = filters.blur(patches, 3 * UNIT)
    warmth = (colour[0] - colour[2]) / (colour.sum(0) + 0.15)
    level = 0.21 - 0.14 * ((warmth - 0.05) / 0.10).clamp(0, 1) + 0.07 * (-warmth / 0.08).clamp(0, 1)
    return torch.sigmoid((level - light) / 0.004)
