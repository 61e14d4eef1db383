"""Photos in folders: which files are pictures, how they are read, and who is held out for ever."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from foundation.errors import UsageError
from streamtoon.types import U8

PICTURE_SUFFIXES: Final = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}


def split_of(name: str) -> str:
    """``test`` for a tenth of all names, ``val`` for a twentieth, ``train`` for the rest."""
    part = int(hashlib.sha256(name.encode()).hexdigest(), 16) % 20
    return "test" if part < 2 else "val" if part == 2 else "train"


def read_rgb(file: Path) -> U8 | None:
    """(h, w, 3) uint8 RGB, or None where the file is no picture."""
    picture = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR)
    return None if picture is None else np.ascontiguousarray(picture[:, :, ::-1])


def found(folder: Path) -> list[Path]:
    """The pictures in a folder and in those below it, by name. Raises UsageError where there is none."""
    if not folder.is_dir():
        raise UsageError(f"photos folder {folder} is not there; give a folder of pictures")
    photos = sorted(f for f in folder.rglob("*") if f.suffix.lower() in PICTURE_SUFFIXES)
    if not photos:
        raise UsageError(f"no pictures in {folder} (looked for {', '.join(sorted(PICTURE_SUFFIXES))})")
    return photos
