"""Where frames come from: ``open(target)`` for a source with an end, ``open_live(target)`` for one to be watched.

A module here is a kind of source, as is a module that another install announces as an entry point of the group
``streamtoon.sources``. It takes the targets that begin with its name and a colon, or those of which its own
``takes(target) -> bool`` is true, and has at least one of

    open(target, *, threads) -> contracts.Source            frames as fast as they are taken
    open_live(target, options: LiveOptions) -> contracts.LiveSource    frames when they come

A kind without ``open_live`` is played at its own rate in a live call; one without ``open`` cannot be converted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from types import TracebackType
from typing import Final, Self

from streamtoon.contracts import LiveSource, Source
from streamtoon.kinds import Kinds
from streamtoon.types import Frame

KINDS: Final = Kinds("streamtoon.sources", otherwise="film")


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """What a live call asks of its source; a kind takes what concerns it.

    size     width and height in px asked of a camera, None for its usual one
    fps      pictures a second asked of a camera
    threads  that may decode
    stop     ends ``frames``, out of a wait too
    clock    seconds that never go back: what the frames' ``seconds`` are counted on
    """

    size: tuple[int, int] | None = None
    fps: float = 30
    threads: int = 2
    stop: threading.Event = field(default_factory=threading.Event)
    clock: Callable[[], float] = time.monotonic


def open(target: str, threads: int = 2) -> Source:  # noqa: A001 - as in ``av.open``
    """Open ``portrait:...``, a film, a picture, a folder of pictures, or what another install takes.

    ``threads`` is how many may decode. Raises UsageError for a target that is not there and SourceError for one that
    holds no picture.
    """
    source: Source = KINDS.find(target, "open").open(target, threads=threads)
    return source


def open_live(target: str, options: LiveOptions | None = None) -> LiveSource:
    """Open a source whose frames come when they are due: a camera, or whatever ``open`` takes at its own rate.

    Raises UsageError for a target that is not there and SourceError for one that does not open or holds no picture.
    """
    options = options or LiveOptions()
    kind = KINDS.find(target, "open_live", "open")
    if hasattr(kind, "open_live"):
        source: LiveSource = kind.open_live(target, options)
        return source
    from streamtoon.sources.pacing import PacedSource

    return PacedSource(kind.open(target, threads=options.threads), target, options.stop, options.clock)


class Frames:
    """Frames that something makes one by one, as a Source."""

    def __init__(self, made: Iterator[Frame], rate: Fraction | None = None) -> None:
        self.notices: list[str] = []
        self.rate = rate
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
