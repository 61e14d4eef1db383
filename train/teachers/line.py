"""A confident pen drawing of a whole picture, grey: flowing lines, solid blacks, clean paper."""

from __future__ import annotations

from typing import Final

import torch

from streamtoon.types import U8
from train.shapes import Contours
from train.teachers import _filters as filters
from train.teachers._flow import along, difference, flow

WHOLE_PICTURE: Final = True
UNIT: Final = 1.1  # px; every length below is in these, whatever the size of the picture


def draw(image: U8, mask: U8 | None = None, contours: Contours | None = None) -> U8:  # noqa: ARG001 - a teacher's
    """(h, w, 3) uint8 RGB -> the same drawn, grey."""
    picture = filters.bilateral(filters.to_tensor(image), 0.07, 2.5 * UNIT)
    field = flow(picture, 3.2 * UNIT)
    light = filters.grey(picture)
    local = ((light + 0.03) / (filters.blur(light, 12 * UNIT) + 0.09) * 0.78).clamp(0, 1.35)
    edge = along(difference(local, field, 0.9 * UNIT, 20), field, 5 * UNIT)
    paper = 1 - torch.tanh(9 * (0.55 - edge)).clamp(0, 1)
    soft = along(filters.blur(light, 1.2 * UNIT), field, 3 * UNIT)
    level = (0.10 + 0.30 * filters.blur(light, 60 * UNIT)).clamp(0.10, 0.24)
    return filters.to_picture(paper * torch.sigmoid((soft - level) / 0.012))
