"""Where frames come from: ``read(target)`` yields them in order; one file per kind of source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from streamtoon.types import Frame

PICTURES: Final = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
PORTRAIT: Final = "portrait:"


class Source(Protocol):
    """An open source: a context manager whose ``frames`` may be called once.

    count    about how many frames there are, None where nobody knows
    notices  what was changed on the way, one line each
    damage   what could not be read, once ``frames`` has ended; None where all could
    """

    notices: list[str]

    @property
    def count(self) -> int | None:  # noqa: D102 - the class says it
        ...

    @property
    def damage(self) -> str | None:  # noqa: D102 - the class says it
        ...

    def frames(self) -> Iterator[Frame]:  # noqa: D102 - the class says it
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def is_pictures(target: str) -> bool:
    """Whether ``target`` names a folder or one picture rather than a film."""
    path = Path(target)
    return target.endswith("/") or path.is_dir() or path.suffix.lower() in PICTURES


def open(target: str, threads: int = 2) -> Source:  # noqa: A001 - as in ``av.open``
    """Open ``portrait:...``, a film, a picture or a folder of pictures; ``threads`` is how many may decode.

    Raises UsageError for a target that is not there and SourceError for one that holds no picture.
    """
    if target.startswith(PORTRAIT):
        from streamtoon.sources import portrait

        return Frames(portrait.read(target))
    if is_pictures(target):
        from streamtoon.sources import images

        return images.open(target)
    from streamtoon.film import reader

    return reader.open(target, threads=threads)


def read(target: str) -> Iterator[Frame]:
    """Frames of a target that ``open`` knows; raises as it does, at once."""
    source = open(target)

    def frames() -> Iterator[Frame]:
        with source:
            yield from source.frames()

    return frames()


class Frames:
    """Frames that something makes one by one, as a Source."""

    def __init__(self, made: Iterator[Frame]) -> None:
        self.notices: list[str] = []
        self.count = self.damage = None
        self._made = made

    def frames(self) -> Iterator[Frame]:
        """All of them."""
        return self._made

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass
