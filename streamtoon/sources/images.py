"""Pictures: one, or a folder of them in the order people count, upright, as rgb24.

One picture is a still. In a folder a picture goes on with the shot of the one before where both have the same size, the
same name but for its numbers (frame_0001.png, frame_0002.png) and look alike; else it begins a shot of its own. So the
frames of a film are as steady as in the film, and unrelated photographs say nothing about each other.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from streamtoon.errors import SourceError, UsageError
from streamtoon.image import shots
from streamtoon.types import U8, Frame

SUFFIXES: Final = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
# Mean difference of two thumbnails up to which they are of one shot. Neighbours in films differ by up to 4 grey levels,
# portraits of different people in the same pose before the same wall by 13 and more.
SAME_SHOT_GREY_LEVELS: Final = 10.0
FOLDER_FPS: Final = 25  # where a folder becomes a film
GREY_16_BIT_MODES: Final = frozenset({"I", "I;16", "I;16B", "I;16L"})  # which Pillow would cut off at 255
ORIENTATION: Final = 0x0112  # EXIF tag
MAX_PIXELS: Final = 40_000_000  # of a picture in memory: larger ones are reduced, what is drawn is far smaller anyway
MAX_FILE_PIXELS: Final = 1 << 28  # of a picture that is opened, 16384 x 16384: reading it takes 4 bytes each
MIN_PX: Final = 16  # a narrower picture is left out of a folder: it shows nobody, and picture styles refuse it

_Look = tuple[tuple[int, ...], str, U8]  # shape, name without its numbers, thumbnail


def is_pictures(target: str) -> bool:
    """Whether ``target`` names a folder or one picture rather than a film."""
    path = Path(target)
    return target.endswith("/") or path.is_dir() or path.suffix.lower() in SUFFIXES


def takes(target: str) -> bool:
    """Whether ``target`` is a folder or a picture of this computer."""
    return "://" not in target and is_pictures(target)


class Pictures:
    """A picture or a folder of pictures. ``open`` makes one; ``frames`` may be called once.

    paths    the files, in order
    count    how many there are
    rate     how many a second are shown, where they become a film
    notices  what was changed on the way, one line each
    damage   what could not be read, once ``frames`` has ended; None where all could
    """

    def __init__(self, target: Path) -> None:
        self.paths = _list(target)
        self.count = len(self.paths)
        self.rate = Fraction(FOLDER_FPS)
        self.notices: list[str] = []
        self.damage: str | None = None
        self._alone = not target.is_dir()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def frames(self) -> Iterator[Frame]:
        """Each picture that can be read; ``index`` counts the files, so a broken one leaves a gap."""
        broken, shot = [], 0
        before: _Look | None = None
        for index, path in enumerate(self.paths):
            try:
                rgb = load(path, self._tell)
            except SourceError:
                if self._alone:
                    raise
                broken.append(path.name)
                continue
            if not self._alone and min(rgb.shape[:2]) < MIN_PX:
                broken.append(path.name)
                continue
            now = (rgb.shape, re.sub(r"\d+", "0", path.name), shots.thumbnail(rgb))
            shot += before is not None and not _goes_on(before, now)
            before = now
            at, duration = Fraction(index, FOLDER_FPS), Fraction(1, FOLDER_FPS)
            yield Frame((rgb,), "rgb24", index, at, duration=duration, still=self._alone, shot=shot)
        if len(broken) == self.count:
            raise SourceError(f"cannot read {self.paths[0].parent}: not one picture in it can be read")
        if broken:
            self.damage = f"{len(broken)} of {self.count} pictures are left out, the first is {broken[0]}"

    def _tell(self, notice: str) -> None:
        if notice not in self.notices:
            self.notices.append(notice)


def _goes_on(before: _Look, now: _Look) -> bool:
    """Whether two neighbouring pictures are of one shot."""
    return before[:2] == now[:2] and shots.difference(before[2], now[2]) <= SAME_SHOT_GREY_LEVELS


def _list(target: Path) -> list[Path]:
    if target.is_dir():
        paths = [p for p in target.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith(".")]
        if not paths:
            raise SourceError(f"cannot read {target}: there is no picture in it ({' '.join(sorted(SUFFIXES))})")
        return sorted(paths, key=_counted)
    try:
        with target.open("rb"):
            return [target]
    except OSError as error:
        raise UsageError(f"cannot read {target}: {error.strerror or error}; check the path") from None


def _counted(path: Path) -> list[tuple[int, str]]:
    """Sort key that puts 2.png before 10.png."""
    return [(int(n or 0), text.lower()) for text, n in re.findall(r"(\D*)(\d*)", path.name)]


def load(path: Path, tell: Callable[[str], None] = lambda _: None) -> U8:
    """(h, w, 3) RGB of a picture, upright whatever its EXIF orientation; what is transparent is white.

    One of more than MAX_PIXELS is reduced to as many, which ``tell`` is told in one line. Raises SourceError where it
    cannot be read.
    """
    try:
        with Image.open(path) as file:
            _reduce(file, tell)
            return pixels(file)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        why = "it is no picture" if isinstance(error, UnidentifiedImageError) else str(error)
        raise SourceError(f"cannot read {path}: {why}; give a picture that opens") from None


def _reduce(file: Image.Image, tell: Callable[[str], None]) -> None:
    """Bring an opened picture that is not read yet to MAX_PIXELS. Raises ValueError for one too large to be read."""
    w, h = file.size
    if w * h > MAX_FILE_PIXELS:
        raise ValueError(f"it has {w}x{h} px, more than {MAX_FILE_PIXELS // 1_000_000} megapixels")
    if w * h > MAX_PIXELS:
        tell(f"a picture of {w}x{h} px is drawn reduced to {MAX_PIXELS // 1_000_000} megapixels")
        scale = math.sqrt(MAX_PIXELS / (w * h))
        file.thumbnail((round(w * scale), round(h * scale)), Image.Resampling.BOX, reducing_gap=1)


def pixels(image: Image.Image) -> U8:
    """(h, w, 3) RGB of an opened picture, as ``load`` gives it. Raises what Pillow raises where it is damaged."""
    image.load()  # which turns a TIFF by itself
    picture = ImageOps.exif_transpose(image) if image.getexif().get(ORIENTATION, 1) != 1 else image
    if picture.mode in GREY_16_BIT_MODES:
        return np.repeat((np.asarray(picture, np.uint32) >> 8).astype(np.uint8)[..., None], 3, axis=2)
    if picture.mode == "F":
        raise ValueError("its samples are fractions, and nothing says which of them is white")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))


def open(target: str | Path, *, threads: int = 1) -> Pictures:  # noqa: A001 - as in ``Image.open``
    """A picture or a folder of pictures, decoded in the thread that reads them.

    Raises UsageError where there is none, SourceError where a folder holds none.
    """
    del threads
    return Pictures(Path(target))
