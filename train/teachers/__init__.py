"""Teachers, one file each: how a drawing is made from a clean photo, without learning.

A teacher is a module here, or one that another installed package announces as an entry point of the group
``streamtoon.teachers``, with ``draw(image, mask, contours) -> drawing``: (h, w, 3) uint8 RGB crop, (h, w) uint8 person
mask, face contours in px or None -> (h, w) uint8 grey, 255 is paper. ``--teacher NAME`` picks it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from foundation.errors import UsageError
from foundation.registry import Registry
from streamtoon.types import U8
from train.shapes import Contours

TEACHERS: Final = Registry(__name__, "streamtoon.teachers")
Draw = Callable[[U8, U8, Contours | None], U8]


def load(name: str) -> Draw:
    """The ``draw`` of the teacher called ``name``. Raises UsageError for an unknown name."""
    known = TEACHERS.names()
    if name not in known:
        raise UsageError(f"there is no teacher {name!r}; choose from {', '.join(known)}")
    draw: Draw = TEACHERS.load(name).draw
    return draw
