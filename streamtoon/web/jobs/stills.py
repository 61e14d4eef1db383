"""Photos: checked by decoding, drawn one at a time by toons that are kept for the next one."""

from __future__ import annotations

import threading
from collections import OrderedDict
from fractions import Fraction
from pathlib import Path
from typing import Final, Self

from PIL import Image, UnidentifiedImageError

from streamtoon.errors import UsageError
from streamtoon.image.planes import to_rgb
from streamtoon.pipeline.toon import Toon
from streamtoon.sources import images
from streamtoon.types import Frame, OutputFrame
from streamtoon.web.settings import Choice, Settings
from streamtoon.web.toons import still_toon

MAX_KEPT_TOONS: Final = 4  # toons; each holds a network and two detectors
PHOTO_FORMATS: Final = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
MAX_PHOTO_PIXELS: Final = 40_000_000
PHOTO_SUFFIXES: Final = ".jpg, .png, .webp, .bmp or .tiff"


class Stills:
    """Draws photos. Use as a context manager."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._toons: OrderedDict[Choice, Toon] = OrderedDict()
        self._lock = threading.Lock()

    def draw(self, frame: Frame, choice: Choice) -> OutputFrame:
        """The photo drawn; a photo without a face comes back as it was, unless all of it is drawn or papered."""
        with self._lock:
            toon = self._toons.pop(choice, None)
            if toon is None:
                toon = still_toon(self._settings, choice)
            self._toons[choice] = toon
            while len(self._toons) > MAX_KEPT_TOONS:
                self._toons.popitem(last=False)[1].close()
            return toon(frame)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            while self._toons:
                self._toons.popitem()[1].close()


def read(file: Path) -> Frame:
    """An uploaded photo as a frame, upright. Raises UsageError, SourceError for what is no photo or too large."""
    try:
        with Image.open(file, formats=PHOTO_FORMATS) as picture:
            width, height = picture.size
    except UnidentifiedImageError:
        raise UsageError(f"this file is no picture; give {PHOTO_SUFFIXES}") from None
    except Image.DecompressionBombError:
        raise UsageError(
            f"the picture is too large; {MAX_PHOTO_PIXELS // 1_000_000} megapixels is the limit here"
        ) from None
    except (OSError, ValueError, SyntaxError):
        raise UsageError(f"this picture cannot be opened, it seems to be damaged; give {PHOTO_SUFFIXES}") from None
    if width * height > MAX_PHOTO_PIXELS:
        raise UsageError(
            f"the picture has {width}x{height} px; {MAX_PHOTO_PIXELS // 1_000_000} megapixels is the limit here"
        )
    return Frame((images.load(file),), "rgb24", 0, Fraction(0), still=True)


def save(drawn: OutputFrame, file: Path) -> str:
    """Write ``drawn`` as a picture; its path."""
    Image.fromarray(to_rgb(drawn.planes, drawn.layout, drawn.colour)).save(file, compress_level=3)
    return str(file)
