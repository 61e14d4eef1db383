"""``memory:`` - keeps what is sent in a list: for tests, and for whoever wants the pictures themselves."""

from __future__ import annotations

from types import TracebackType

from streamtoon.contracts import Send, check_output
from streamtoon.sinks import Options
from streamtoon.types import OutputFrame


class Memory:
    """``drawn`` holds every picture sent, in order."""

    def __init__(self) -> None:
        self.notices: list[str] = []
        self.drawn: list[OutputFrame] = []

    def send(self, drawn: OutputFrame) -> None:
        """Keep ``drawn``. Raises TypeError for anything but an OutputFrame."""
        check_output(drawn)
        self.drawn.append(drawn)

    def __enter__(self) -> Send:
        return self.send

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


def open(target: str, options: Options) -> Memory:  # noqa: A001 - as in ``av.open``
    """A sink that only remembers, whatever is asked of it."""
    del target, options
    return Memory()
