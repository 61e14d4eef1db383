"""How far something is, on a terminal."""

from __future__ import annotations

import sys


class Line:
    """One line on a terminal, rewritten; nothing where stderr is a file or a pipe."""

    def __init__(self) -> None:
        self._used = False

    def show(self, text: str) -> None:
        """Write ``text`` over what is there."""
        if sys.stderr.isatty():
            self._used = True
            sys.stderr.write(f"\r{text}\x1b[K")
            sys.stderr.flush()

    def close(self) -> None:
        """Leave the terminal's line clean."""
        if self._used:
            sys.stderr.write("\r\x1b[K")


class Progress(Line):
    """The phase that runs and the share of all that is done."""

    def __init__(self, doing: str = "compiling") -> None:
        super().__init__()
        self._doing = doing

    def __call__(self, phase: str, share: float) -> None:
        """Show a phase and how much of it is done, 0..1."""
        self.show(f"{self._doing}: {100 * share:3.0f} % {phase[:60]}")
