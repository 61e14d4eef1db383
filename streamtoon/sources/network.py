"""``rtsp://...`` and other addresses: a camera on the network, or a film on a server.

A camera's pictures come when they come; when it goes away it is called again until it is back. A film is played at its
own rate.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from types import TracebackType
from typing import Final, Self

from streamtoon.contracts import LiveSource
from streamtoon.errors import SourceError, UsageError
from streamtoon.film import reader
from streamtoon.film.container import shown
from streamtoon.sources import LiveOptions
from streamtoon.sources.pacing import PacedSource, to_fraction
from streamtoon.types import Frame

log = logging.getLogger(__name__)

CAMERA_SCHEMES: Final = ("rtsp", "rtsps", "rtmp", "rtmps", "srt", "udp")
FILM_SCHEMES: Final = ("http", "https")
RETRY_DELAYS_S: Final = (0.5, 5.0)  # before the first call back, and at most


class NetworkCamera:
    """A camera that has an address; ``open_live`` makes one. ``frames`` may be called once.

    size           width and height in px
    count, damage  None: nobody knows how long a camera runs
    """

    def __init__(self, address: str, options: LiveOptions) -> None:
        self.notices: list[str] = []
        self.count = self.damage = None
        self._address, self._options = address, options
        self._film = reader.Film(address, None, options.threads)
        self.size = self._film.size

    @property
    def rate(self) -> Fraction:
        """Pictures a second, as the camera says."""
        return self._film.rate

    def frames(self) -> Iterator[Frame]:
        """Each picture as it comes, until ``stop``; ``seconds`` is what the clock showed then. Its size may change."""
        stop, clock = self._options.stop, self._options.clock
        index = 0
        while not stop.is_set():
            for frame in self._film.frames():
                yield replace(frame, index=index, seconds=to_fraction(clock()))
                index += 1
                if stop.is_set():
                    return
            self._call_back()

    def _call_back(self) -> None:
        self._film.close()
        log.warning("%s gives no more pictures; it is called again until it is back", shown(self._address))
        delay, longest = RETRY_DELAYS_S
        while not self._options.stop.wait(delay):
            try:
                self._film = reader.Film(self._address, None, self._options.threads)
            except SourceError:
                delay = min(2 * delay, longest)
            else:
                log.info("%s is back", shown(self._address))
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._film.close()


def takes(target: str) -> bool:
    """Whether ``target`` is an address."""
    return "://" in target


def open_live(address: str, options: LiveOptions) -> LiveSource:
    """Open an address and decode its first picture.

    Raises UsageError for an address of another kind, SourceError where nobody answers or no film comes.
    """
    scheme = address.partition("://")[0].lower()
    if scheme in CAMERA_SCHEMES:
        return NetworkCamera(address, options)
    if scheme in FILM_SCHEMES:
        film = reader.Film(address, None, options.threads)
        return PacedSource(film, shown(address), options.stop, options.clock)
    allowed = ", ".join(f"{s}://" for s in (*CAMERA_SCHEMES, *FILM_SCHEMES))
    raise UsageError(f"cannot read {shown(address)}: an address begins with one of {allowed}")
