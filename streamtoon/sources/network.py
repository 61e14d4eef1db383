"""``rtsp://...`` and other addresses: a camera on the network, or a film on a server.

A camera's pictures come when they come; when it goes away it is called again until it is back. A film is paced by
whoever reads it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import TracebackType
from typing import Final, Self

from streamtoon.errors import SourceError, UsageError
from streamtoon.film import reader
from streamtoon.film.container import shown
from streamtoon.sources.pacing import to_fraction
from streamtoon.types import Frame

CAMERAS: Final = ("rtsp", "rtsps", "rtmp", "rtmps", "srt", "udp")
FILMS: Final = ("http", "https")
RETRY: Final = (0.5, 5.0)  # seconds before the first call back, and at most


class Network:
    """An open address; ``open`` makes one. ``frames`` may be called once.

    is_film  whether it has to be paced: a server gives a film as fast as it is taken
    size     width and height in px
    """

    def __init__(
        self, address: str, *, threads: int, stop: threading.Event, say: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:  # fmt: skip
        scheme = address.partition("://")[0].lower()
        if scheme not in (*CAMERAS, *FILMS):
            allowed = ", ".join(f"{s}://" for s in (*CAMERAS, *FILMS))
            raise UsageError(f"cannot read {shown(address)}: an address begins with one of {allowed}")
        self.is_film = scheme in FILMS
        self.notices: list[str] = []
        self._address, self._threads = address, threads
        self._stop, self._say, self._clock = stop, say, clock
        self._film = reader.Film(address, None, threads)
        self.size = self._film.size

    def frames(self) -> Iterator[Frame]:
        """Each picture as it comes, until ``stop``; a film's own until its end. A camera's size may change.

        ``seconds`` of a camera's is what ``clock`` showed when it came.
        """
        if self.is_film:
            yield from self._film.frames()
            return
        index = 0
        while not self._stop.is_set():
            for frame in self._film.frames():
                yield replace(frame, index=index, seconds=to_fraction(self._clock()))
                index += 1
                if self._stop.is_set():
                    return
            self._call_back()

    def _call_back(self) -> None:
        self._film.close()
        self._say(f"{shown(self._address)} gives no more pictures; it is called again until it is back")
        delay = RETRY[0]
        while not self._stop.wait(delay):
            try:
                self._film = reader.Film(self._address, None, self._threads)
            except SourceError:
                delay = min(2 * delay, RETRY[1])
            else:
                self._say(f"{shown(self._address)} is back")
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._film.close()


def open(  # noqa: A001 - as in ``av.open``
    address: str,
    *,
    threads: int = 2,
    stop: threading.Event | None = None,
    say: Callable[[str], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
) -> Network:
    """Open an address and decode its first picture.

    threads  that may decode
    stop     ends ``frames``, out of a wait too
    say      is told when a camera goes and comes back
    clock    seconds that never go back: a camera's frames' own clock

    Raises UsageError for an address of another kind, SourceError where nobody answers or no film comes.
    """
    return Network(address, threads=threads, stop=stop or threading.Event(), say=say, clock=clock)
