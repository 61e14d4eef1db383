"""A film's name: encoded from a source, or recorded from a call. Also what a target is that no other kind takes."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from types import TracebackType
from typing import Final

from streamtoon.contracts import Send, check_output
from streamtoon.errors import UsageError
from streamtoon.film import writer
from streamtoon.film.encoder import Encoding
from streamtoon.film.reader import Film
from streamtoon.privacy.guard import resized_copy
from streamtoon.sinks import LiveOptions, Options
from streamtoon.sources.images import Pictures
from streamtoon.types import OutputFrame

MILLISECOND: Final = Fraction(1, 1000)


def open(target: str, options: Options) -> writer.VideoSink:  # noqa: A001 - as in ``av.open``
    """A sink that encodes a film. Of a film it keeps clock, size, colours, tracks, chapters and tags.

    Raises UsageError where ``target`` cannot be written; sending and leaving raise SinkError.
    """
    like = options.like
    if isinstance(like, Pictures) and like.count == 1:
        raise UsageError(f"cannot write {target}: one picture is no film; name a picture, such as out.png")
    return writer.write(
        target,
        like if isinstance(like, Film) else None,
        encoding=options.encoding,
        alone=options.alone,
        audio=options.audio,
        covers=options.covers,
        overwrite=options.overwrite,
        rate=(like.rate if like else None) or options.rate,
    )


def open_live(target: str, options: LiveOptions) -> Recording:
    """A sink that records what leaves, at the time it leaves, in the size it began with; ``options.size`` is even.

    Raises UsageError where ``target`` cannot be written; sending and leaving raise SinkError.
    """
    rate = Fraction(options.fps).limit_denominator(1001)
    film = writer.write(target, encoding=Encoding(threads=options.threads), rate=rate)
    return Recording(film, options.size, options.clock)


class Recording:
    """A film whose clock starts with the first picture."""

    def __init__(self, film: writer.VideoSink, size: tuple[int, int], clock: Callable[[], float]) -> None:
        self._film, self._size, self._clock = film, size, clock
        self._began: float | None = None
        self._count = 0
        self.notices = film.notices

    def __enter__(self) -> Send:
        self._send = self._film.__enter__()
        return self.send

    def send(self, drawn: OutputFrame) -> None:
        """Write ``drawn`` as shown from now on. Raises TypeError for anything but an OutputFrame, and SinkError."""
        check_output(drawn)
        now = self._clock()
        self._began = now if self._began is None else self._began
        seconds = round((now - self._began) / MILLISECOND) * MILLISECOND
        self._send(resized_copy(drawn, self._size, self._count, Fraction(seconds)))
        self._count += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._film.__exit__(kind, error, trace)
