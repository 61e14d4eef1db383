"""Pictures of walls: one colour, or one that runs into another. Photos seldom have a bright yellow one; films do.

A network that has never seen one may draw a stripe on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from streamtoon.types import U8

COUNT: Final = 32
SIDE_PX: Final = 64
LEVELS: Final = (4.0, 80.0, 160.0, 252.0)  # of red, green and blue


def walls(seed: int) -> Iterator[U8]:
    """COUNT pictures, (SIDE_PX, SIDE_PX, 3) RGB: every second of one colour."""
    rng = np.random.default_rng(seed)
    along = np.linspace(0, 1, SIDE_PX)
    for n in range(COUNT):
        near, far = rng.choice(LEVELS, (2, 3))
        down, right = rng.uniform(0, 1, 2)
        part = (down * along[:, None] + right * along) / (down + right) * (n % 2)
        yield np.round(near + (far - near) * part[..., None]).astype(np.uint8)
