"""A film's name: every frame that libav decodes. Also what a target is that no other kind takes."""

from __future__ import annotations

from streamtoon.film import reader


def open(target: str, *, threads: int) -> reader.Film:  # noqa: A001 - as in ``av.open``
    """Open a film and decode its first frame.

    Raises UsageError where there is no such file, SourceError where not one frame of it can be decoded.
    """
    return reader.open(target, threads=threads)
