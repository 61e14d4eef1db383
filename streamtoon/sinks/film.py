"""A live recording: a film of what left, at the time it left, in the size it began with."""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction
from types import TracebackType

from streamtoon.film import writer
from streamtoon.film.encoder import Encoding
from streamtoon.privacy.guard import resized_copy
from streamtoon.sinks import Send, check
from streamtoon.types import OutputFrame

MILLISECOND = Fraction(1, 1000)


class Recording:
    """A film sink whose clock starts with the first picture; ``write`` makes one."""

    def __init__(self, film: writer.VideoSink, size: tuple[int, int], clock: Callable[[], float]) -> None:
        self._film, self._size, self._clock = film, size, clock
        self._began: float | None = None
        self._count = 0

    def __enter__(self) -> Send:
        self._send = self._film.__enter__()
        return self.send

    def send(self, drawn: OutputFrame) -> None:
        """Write ``drawn`` as shown from now on. Raises TypeError for anything but a Drawn, SinkError as films do."""
        check(drawn)
        now = self._clock()
        self._began = now if self._began is None else self._began
        seconds = round((now - self._began) / MILLISECOND) * MILLISECOND
        self._send(resized_copy(drawn, self._size, self._count, Fraction(seconds)))
        self._count += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._film.__exit__(kind, error, trace)


def write(
    target: str,
    *,
    size: tuple[int, int],
    fps: float,
    threads: int = 1,
    overwrite: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> Recording:
    """A sink that records: width and height in px, even; about so many pictures a second.

    Raises UsageError where ``target`` cannot be written; sending and leaving raise SinkError.
    """
    rate = Fraction(fps).limit_denominator(1001)
    film = writer.write(target, encoding=Encoding(threads=threads), rate=rate, overwrite=overwrite)
    return Recording(film, size, clock)
