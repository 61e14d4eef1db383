"""Keeps what is sent in a list: for tests, and for whoever wants the pictures themselves."""

from __future__ import annotations

from types import TracebackType

from streamtoon.sinks import Send, check
from streamtoon.types import OutputFrame


class Memory:
    """``drawn`` holds every picture sent, in order."""

    def __init__(self) -> None:
        self.notices: list[str] = []
        self.drawn: list[OutputFrame] = []

    def send(self, drawn: OutputFrame) -> None:
        """Keep ``drawn``. Raises TypeError for anything but a Drawn."""
        check(drawn)
        self.drawn.append(drawn)

    def __enter__(self) -> Send:
        return self.send

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


def write(target: str = "memory:") -> Memory:
    """A sink that only remembers; ``target`` is ``memory:``."""
    del target
    return Memory()
