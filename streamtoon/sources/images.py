"""Pictures: one, or a folder of them in the order people count, upright, as rgb24."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from streamtoon.errors import SourceError, UsageError
from streamtoon.sources import PICTURES
from streamtoon.types import U8, Frame

RATE: Final = 25  # pictures a second, where a folder becomes a film
DEEP: Final = frozenset({"I", "I;16", "I;16B", "I;16L"})  # 16 bits of grey, which Pillow would cut off at 255


class Pictures:
    """A picture or a folder of pictures. ``open`` makes one; ``frames`` may be called once.

    paths    the files, in order
    count    how many there are
    notices  what was changed on the way, one line each
    damage   what could not be read, once ``frames`` has ended; None where all could
    """

    def __init__(self, target: Path) -> None:
        self.paths = _list(target)
        self.count = len(self.paths)
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
        broken = []
        for index, path in enumerate(self.paths):
            try:
                rgb = load(path)
            except SourceError:
                if self._alone:
                    raise
                broken.append(path.name)
                continue
            yield Frame((rgb,), "rgb24", index, Fraction(index, RATE))
        if len(broken) == self.count:
            raise SourceError(f"cannot read {self.paths[0].parent}: not one picture in it can be read")
        if broken:
            self.damage = f"{len(broken)} of {self.count} pictures could not be read, the first is {broken[0]}"


def _list(target: Path) -> list[Path]:
    if target.is_dir():
        paths = [p for p in target.iterdir() if p.suffix.lower() in PICTURES and not p.name.startswith(".")]
        if not paths:
            raise SourceError(f"cannot read {target}: there is no picture in it ({' '.join(sorted(PICTURES))})")
        return sorted(paths, key=_counted)
    try:
        with target.open("rb"):
            return [target]
    except OSError as error:
        raise UsageError(f"cannot read {target}: {error.strerror or error}; check the path") from None


def _counted(path: Path) -> list[tuple[int, str]]:
    """Sort key that puts 2.png before 10.png."""
    return [(int(n or 0), text.lower()) for text, n in re.findall(r"(\D*)(\d*)", path.name)]


def load(path: Path) -> U8:
    """(h, w, 3) RGB of a picture, upright whatever its EXIF orientation; what is transparent is white.

    Raises SourceError where it cannot be read.
    """
    try:
        with Image.open(path) as file:
            return pixels(file)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        why = "it is no picture" if isinstance(error, UnidentifiedImageError) else str(error)
        raise SourceError(f"cannot read {path}: {why}; give a picture that opens") from None


def pixels(image: Image.Image) -> U8:
    """(h, w, 3) RGB of an opened picture, as ``load`` gives it. Raises what Pillow raises where it is damaged."""
    picture: Image.Image = ImageOps.exif_transpose(image)
    if picture.mode in DEEP:
        return np.repeat((np.asarray(picture, np.uint32) >> 8).astype(np.uint8)[..., None], 3, axis=2)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return np.asarray(picture.convert("RGB"))


def open(target: str | Path) -> Pictures:  # noqa: A001 - as in ``Image.open``
    """A picture or a folder of pictures. Raises UsageError where there is none, SourceError where it is empty."""
    return Pictures(Path(target))


def read(target: str) -> Iterator[Frame]:
    """Frames of the picture or folder at ``target``; raises as ``open`` does, at once."""
    return open(target).frames()
