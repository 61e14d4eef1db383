"""What every MediaPipe task needs: its options, its pictures, and silence while it loads."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from streamtoon.types import U8

BLANK: Final = np.zeros((64, 64, 3), np.uint8)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """MediaPipe's C++ side logs to file descriptor 2 while it loads and runs first, whatever the log level says."""
    sys.stderr.flush()
    kept, sheet = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sheet, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(sheet)


def options(buffer: bytes) -> Any:
    """Base options of a task whose model is ``buffer``."""
    from mediapipe.tasks.python.core.base_options import BaseOptions

    return BaseOptions(model_asset_buffer=buffer)


def image(picture: U8) -> Any:
    """(h, w, 3) uint8 RGB as MediaPipe's Image."""
    import mediapipe

    return mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(picture))
