"""What people see beside a command's result: notices, what the packages log, and how far convert is. All on stderr."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from streamtoon.workflows.convert import Progress

PACKAGES: Final = ("streamtoon", "engines", "trt_build", "foundation")


def tell(text: str) -> None:
    """One line for people."""
    sys.stderr.write(text + "\n")


class _Stderr(logging.Handler):
    """Writes the bare message to whatever ``sys.stderr`` is at that moment; ``repeats``: also what was said before."""

    def __init__(self, *, repeats: bool) -> None:
        super().__init__(logging.INFO)
        self._said: set[str] | None = None if repeats else set()

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if self._said is not None:
            if text in self._said:
                return
            self._said.add(text)
        tell(text)


@contextlib.contextmanager
def shown(*loggers: str, repeats: bool = True) -> Iterator[None]:
    """Within: what ``loggers`` (none: every package of ours) log at INFO or above is printed, one bare line each."""
    handler = _Stderr(repeats=repeats)
    found = [logging.getLogger(name) for name in loggers or PACKAGES]
    levels = [logger.level for logger in found]
    for logger in found:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger, level in zip(found, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)


class ProgressLine:
    """convert's progress: one line on a terminal, rewritten; nothing where stderr is a file or a pipe."""

    def __init__(self) -> None:
        self._used = False

    def __call__(self, progress: Progress) -> None:
        """Show it."""
        if not sys.stderr.isatty():
            return
        self._used = True
        of = f"/{progress.total}" if progress.total else ""
        left = "" if progress.seconds_left is None else f", {_clock(progress.seconds_left)} left"
        sys.stderr.write(f"\r{progress.frames}{of} frames, {progress.fps:.1f} fps{left}\x1b[K")
        sys.stderr.flush()

    def close(self) -> None:
        """Leave the terminal's line clean."""
        if self._used:
            sys.stderr.write("\r\x1b[K")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
