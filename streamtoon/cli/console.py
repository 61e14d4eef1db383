"""What people see beside a command's result: notices, what the packages log, and how far convert is. All on stderr."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from foundation.progress import Line

if TYPE_CHECKING:
    from streamtoon.workflows.convert import Progress

PACKAGES: Final = ("streamtoon", "engines", "trt_build", "foundation")


def tell(text: str) -> None:
    """One line for people."""
    sys.stderr.write(text + "\n")


class _Stderr(logging.Handler):
    """Writes the bare message to whatever ``sys.stderr`` is at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        tell(record.getMessage())


class _Once(logging.Filter):
    """Lets every text through once."""

    def __init__(self) -> None:
        super().__init__()
        self._told: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        new = text not in self._told
        self._told.add(text)
        return new


_STDERR: Final = _Stderr(logging.INFO)


@contextlib.contextmanager
def shown(*loggers: str) -> Iterator[None]:
    """Within: what ``loggers`` (none: every package of ours) log at INFO or above is printed, one bare line each."""
    found = [logging.getLogger(name) for name in loggers or PACKAGES]
    levels = [logger.level for logger in found]
    for logger in found:
        logger.addHandler(_STDERR)
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger, level in zip(found, levels, strict=True):
            logger.removeHandler(_STDERR)
            logger.setLevel(level)


@contextlib.contextmanager
def each_line_once() -> Iterator[None]:
    """Within: what is logged again in the same words is not printed again."""
    once = _Once()
    _STDERR.addFilter(once)
    try:
        yield
    finally:
        _STDERR.removeFilter(once)


class FilmProgress(Line):
    """convert's progress: frames done, frames a second, time left."""

    def __call__(self, progress: Progress) -> None:
        """Show it."""
        of = f"/{progress.total}" if progress.total else ""
        left = "" if progress.seconds_left is None else f", {_clock(progress.seconds_left)} left"
        self.show(f"{progress.frames}{of} frames, {progress.fps:.1f} fps{left}")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
