"""What a source of frames and a sink for pictures must be; whatever keeps these contracts can be used as one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Protocol, Self

from streamtoon.types import Frame, OutputFrame

Send = Callable[[OutputFrame], None]
"""Takes one picture that may leave, in the order of presentation. Raises SinkError where it cannot be written."""


class Source(Protocol):
    """An open source: a context manager whose ``frames`` may be called once.

    notices  what was changed on the way, one line each
    """

    notices: list[str]

    @property
    def count(self) -> int | None:
        """About how many frames there are; None where nobody knows."""

    @property
    def damage(self) -> str | None:
        """What could not be read, once ``frames`` has ended; None where all could."""

    def frames(self) -> Iterator[Frame]:
        """The frames in order of presentation. Raises SourceError where the source ends in a fault."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Sink(Protocol):
    """What opens a target for the length of a ``with`` block: ``with sink as send: send(picture)``.

    A sink that makes a file leaves nothing behind where the block ends in an exception.

    notices  what was changed on the way, one line each
    """

    notices: list[str]

    def __enter__(self) -> Send: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
