"""How far compiling or checking is, on a terminal."""

from __future__ import annotations

import sys


class Progress:
    """One line on a terminal, rewritten; nothing where stderr is a file or a pipe."""

    def __init__(self, doing: str = "compiling") -> None:
        self._doing, self._used = doing, False

    def __call__(self, phase: str, share: float) -> None:
        """Show a phase and how much of it is done, 0..1."""
        if sys.stderr.isatty():
            self._used = True
            sys.stderr.write(f"\r{self._doing}: {100 * share:3.0f} % {phase[:60]}\x1b[K")
            sys.stderr.flush()

    def close(self) -> None:
        """Leave the terminal's line clean."""
        if self._used:
            sys.stderr.write("\r\x1b[K")
