"""What a source of frames and a sink for pictures must be; whatever keeps these contracts can be used as one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
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
    def rate(self) -> Fraction | None:
        """About how many frames a second there are; None where nobody knows."""

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


class LiveSource(Source, Protocol):
    """A source that runs by itself: ``frames`` gives each frame when it is due, its ``seconds`` on the live clock."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the first frame, px; later ones may have others."""


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


class Preview(Protocol):
    """A sink for whoever runs a call: shown, asked for keys and closed in the one thread that opened it."""

    def show(
        self,
        drawn: OutputFrame,
        lines: Sequence[str] = (),
        safe: bool | None = None,  # noqa: FBT001 - read beside what it stands for: show(drawn, lines, safe)
        *,
        mirror: bool = False,
    ) -> None:
        """Show a picture, with ``lines`` over it and a mark that says whether it is ``safe``."""

    def key(self) -> str | None:
        """The next thing that is asked for: "next", "card", "mirror", "passthrough-held", "quit"; None for nothing."""

    def close(self) -> None:
        """Close it; may be called twice."""


def check_output(drawn: OutputFrame) -> None:
    """Raise TypeError unless ``drawn`` has passed the guard: the first thing every sink does with what it is sent."""
    if not isinstance(drawn, OutputFrame):
        raise TypeError(f"a sink takes only an OutputFrame, which guard makes; this is a {type(drawn).__name__}")
