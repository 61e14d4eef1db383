"""Where frames come from: ``read(target)`` yields them in order; one file per kind of source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from streamtoon.types import Frame

PICTURES: Final = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})


def is_pictures(target: str) -> bool:
    """Whether ``target`` names a folder or one picture rather than a film."""
    path = Path(target)
    return target.endswith("/") or path.is_dir() or path.suffix.lower() in PICTURES


def read(target: str) -> Iterator[Frame]:
    """Frames of ``portrait:...``, a film, a picture or a folder of pictures.

    Raises UsageError for a target that is not there and SourceError for one that holds no picture.
    """
    if target.startswith("portrait:"):
        from streamtoon.sources import portrait

        return portrait.read(target)
    if is_pictures(target):
        from streamtoon.sources import images

        return images.read(target)
    from streamtoon.sources import video

    return video.read(target)
