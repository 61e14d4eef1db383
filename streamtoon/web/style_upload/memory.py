"""How much memory an uploaded network needs, computed from its tensor shapes before anything runs it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

from engines import libraries
from streamtoon.errors import UsageError
from streamtoon.pipeline.picture import drawn_size
from streamtoon.types import Style

MAX_PICTURE_BYTES: Final = 1_000_000_000  # of all tensors of one picture; networks for crops need 90 million
FRAMES: Final = ((3840, 2160), (2160, 3840), (16384, 256), (256, 16384))  # px, whose pictures are drawn: and thin ones


def check_memory(file: Path, style: Style) -> int:
    """Bytes of all that the network computes for one crop, or for the whole picture that takes the most.

    Raises UsageError where that is too much, or depends on what is in the picture: such a network could be small for
    the portrait it is tried with, and without bounds for another.
    """
    shapes = {(style.size, style.size)}
    if style.whole_picture:
        drawn = (drawn_size(w, h, style.lines) for w, h in FRAMES)
        shapes = {(h // style.scale, w // style.scale) for w, h in drawn}
    return max(_check_shape(file, h, w) for h, w in sorted(shapes))


def _check_shape(file: Path, h: int, w: int) -> int:
    """Bytes for one picture of that shape."""
    try:
        model = libraries.openvino().Core().read_model(file)
        model.reshape([1, h, w, 3])
    except (RuntimeError, ValueError, MemoryError):
        raise UsageError(f"the sizes in {file.name} do not fit together; export the style again") from None
    total = 0
    for node in model.get_ordered_ops():
        for output in node.outputs():
            shape = output.get_partial_shape()
            if shape.is_dynamic:
                raise UsageError(f"in {file.name} sizes depend on what is in the picture; that is not taken")
            total += math.prod(shape.to_shape()) * output.get_element_type().bitwidth // 8
    if total > MAX_PICTURE_BYTES:
        raise UsageError(
            f"{file.name} computes {total / 1e6:,.0f} MB a picture; {MAX_PICTURE_BYTES / 1e6:,.0f} MB is the limit here"
        )
    return total
