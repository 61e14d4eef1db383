"""Teachers, one file each: how a drawing is made from a clean photo, without learning.

A teacher is a module here, or one that another installed package announces as an entry point of the group
``streamtoon.teachers``, with ``draw(image, mask, contours) -> drawing``. ``--teacher NAME`` picks it.

Of a head: (h, w, 3) uint8 RGB crop, (h, w) uint8 person mask, face contours in px or None -> (h, w) uint8 grey, 255 is
paper. Of a whole picture, where the module says ``WHOLE_PICTURE = True``: (h, w, 3) uint8 RGB of any size, None, None
-> (h, w, 3) uint8 RGB; its lines are as wide and its patches as large, in px, whatever the size.
Modules that begin with an underscore are what teachers share.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from foundation.errors import UsageError
from foundation.registry import Registry
from streamtoon.types import U8
from train.shapes import Contours

TEACHERS: Final = Registry(__name__, "streamtoon.teachers")
Draw = Callable[[U8, U8 | None, Contours | None], U8]


def load(name: str, *, whole_picture: bool = False) -> Draw:
    """The ``draw`` of the teacher called ``name``. Raises UsageError for an unknown name, or one of the other kind."""
    known = TEACHERS.names()
    if name not in known:
        raise UsageError(f"there is no teacher {name!r}; choose from {', '.join(known)}")
    module = TEACHERS.load(name)
    if getattr(module, "WHOLE_PICTURE", False) != whole_picture:
        what, verb = ("heads", "picture-pairs") if whole_picture else ("whole pictures", "pairs")
        raise UsageError(f"teacher {name!r} draws {what}, which `{verb}` cannot use; choose another --teacher")
    draw: Draw = module.draw
    return draw
