"""Milliseconds per verb.

Beside the verbs of a frame's way three rows stand for parts of blending that run on their own: ``check`` (privacy's
look at what was drawn), ``steady`` (the temporal filter of drawings, or of a picture network's input) and ``matte``
(where a drawing stands; of whole pictures it is made beside ``draw``).
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections import deque
from collections.abc import Iterator
from typing import Final

VERBS: Final = ("read", "find", "crop", "draw", "check", "steady", "matte", "blend", "write")  # in the order they run
KEPT_SAMPLES: Final = 4096  # newest of each verb: memory stays constant whatever the film's length


class Meter:
    """Collects how long each verb took. Verbs run in threads of their own; each writes only its own row."""

    def __init__(self) -> None:
        self._samples: dict[str, deque[float]] = {verb: deque(maxlen=KEPT_SAMPLES) for verb in VERBS}

    @contextlib.contextmanager
    def __call__(self, verb: str) -> Iterator[None]:
        """Time the block as ``verb``."""
        start = time.perf_counter()
        yield
        self.add(verb, time.perf_counter() - start)

    def add(self, verb: str, seconds: float) -> None:
        """One more sample of ``verb``."""
        self._samples[verb].append(seconds * 1000)

    def medians(self) -> dict[str, float]:
        """Verb -> median milliseconds a frame, for the verbs that ran."""
        return {verb: round(statistics.median(s), 3) for verb, s in self._samples.items() if s}
