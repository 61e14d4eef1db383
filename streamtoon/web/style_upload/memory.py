"""How much memory an uploaded network needs, computed from its tensor shapes before anything runs it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import openvino

from streamtoon.errors import UsageError

MAX_CROP_BYTES: Final = 1_000_000_000  # of all tensors computed for one crop; the shipped networks need 90 million


def check_memory(file: Path, size: int) -> int:
    """Bytes of all that the network computes for one crop of ``size`` px.

    Raises UsageError where that is too much, or depends on what is in the picture: such a network could be small for
    the portrait it is tried with, and without bounds for another.
    """
    try:
        model = openvino.Core().read_model(file)
        model.reshape([1, size, size, 3])
    except (RuntimeError, ValueError, MemoryError):
        raise UsageError(f"the sizes in {file.name} do not fit together; export the style again") from None
    total = 0
    for node in model.get_ordered_ops():
        for output in node.outputs():
            shape = output.get_partial_shape()
            if shape.is_dynamic:
                raise UsageError(f"in {file.name} sizes depend on what is in the picture; that is not taken")
            total += math.prod(shape.to_shape()) * output.get_element_type().bitwidth // 8
    if total > MAX_CROP_BYTES:
        raise UsageError(
            f"{file.name} computes {total / 1e6:,.0f} MB a crop; {MAX_CROP_BYTES / 1e6:,.0f} MB is the limit here"
        )
    return total
