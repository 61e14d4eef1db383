"""Where pictures go: ``write(target)`` is a context manager that gives ``send(Drawn)``; one file per kind of sink.

A sink takes nothing but a Drawn, because only ``guard`` makes one; anything else is a TypeError. It writes to a
temporary name beside the target and renames when the ``with`` block ends well; otherwise it leaves nothing behind.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, cast

from streamtoon.errors import UsageError
from streamtoon.sources import is_pictures
from streamtoon.types import OutputFrame

if TYPE_CHECKING:
    from streamtoon.film.reader import Film
    from streamtoon.sources.images import Pictures

Send = Callable[[OutputFrame], None]


class Sink(Protocol):
    """What ``write`` gives back: ``with sink as send: send(drawn)``."""

    notices: list[str]  # what was changed on the way, one line each

    def __enter__(self) -> Send: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def write(target: str, like: Film | Pictures | None = None, **options: Any) -> Sink:
    """A sink for ``memory:``, a picture, a folder of pictures or a film; ``options`` are those of its file.

    ``like`` is the source: its clock, tags, tracks or file names are kept.
    Raises UsageError where ``target`` cannot be written: no such folder, unknown container, unknown encoder.
    """
    if target == "memory:":
        from streamtoon.sinks import memory

        return memory.write(target)
    if is_pictures(target) or not Path(target).suffix:
        from streamtoon.sinks import images

        return images.write(target, like, **options)
    from streamtoon.film import writer

    return writer.write(target, cast("Film | None", like), **options)


def check(drawn: OutputFrame) -> None:
    """Raise TypeError unless ``drawn`` has passed the guard."""
    if not isinstance(drawn, OutputFrame):
        raise TypeError(f"a sink takes only a Drawn, which guard makes; this is a {type(drawn).__name__}")


def check_target(target: Path, *, overwrite: bool) -> None:
    """Raise UsageError where ``target`` stands in the way or has no folder to lie in."""
    if not target.parent.is_dir():
        raise UsageError(f"cannot write {target}: there is no folder {target.parent}; make it first")
    if not os.access(target.parent, os.W_OK):
        raise UsageError(f"cannot write {target}: the folder {target.parent} is write-protected; choose another")
    if target.exists() and not overwrite:
        raise UsageError(f"cannot write {target}: it is already there; give another name or --overwrite")
