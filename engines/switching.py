"""An engine that changes while it draws: live starts on the CPU, and the compiled engine takes over when it is ready.

The change happens between two calls, so every picture is drawn, once, by one of the two: none is skipped, repeated or
left undrawn for it. The new engine is set up, and compared with the old one on crops of this call, in a thread of its
own; one that fails or draws something else is refused. Should it fail later, the old one draws that picture and on.
What draws, and why, is logged.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

import numpy as np

from engines import MAX_BATCH, U8, Engine
from engines.compare import difference

log = logging.getLogger(__name__)

CANCEL_GRACE_S: Final = 1.0  # that closing waits for a build to be cancelled; it ends by itself after that


class SwitchingEngine:
    """``first`` until ``better`` is ready.

    better: loads the other engine, in a thread of its own; the event it is given is set when nobody waits for it any
    more. Raises EngineError where it cannot.
    """

    def __init__(self, first: Engine, better: Callable[[threading.Event], Engine]) -> None:
        self._first = self._drawing = first
        self._next: Engine | None = None
        self._better = better
        self._seen: tuple[U8, U8] | None = None  # crops of this call and the first engine's drawings of them
        self._fed, self._closed, self._lock = threading.Event(), threading.Event(), threading.Lock()
        log.info("%s draws, on %s; looking for a faster engine", first.name, first.device)
        self._thread = threading.Thread(target=self._prepare, name="better engine", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        """Of the engine that draws now."""
        return self._drawing.name

    @property
    def device(self) -> str:
        """Of the engine that draws now."""
        return self._drawing.device

    def __call__(self, crops: U8) -> U8:
        """uint8 (N, size, size, 3) RGB -> uint8 (N, size, size, 4) RGBA."""
        with self._lock:
            if self._next is not None:
                self._drawing, self._next = self._next, None
        if self._drawing is not self._first:
            try:
                return self._drawing(crops)
            except Exception as error:  # noqa: BLE001 - whatever it was, the first engine can draw
                broken, self._drawing = self._drawing, self._first
                log.warning("%s failed, %s draws: %s", broken.name, self._first.name, _words(error))
                broken.close()
        drawn = self._first(crops)
        if self._seen is None:
            self._seen = crops.copy(), drawn.copy()
            self._fed.set()
        return drawn

    def _prepare(self) -> None:
        """Load the better engine, set it up, compare it, offer it."""
        try:
            engine = self._better(self._closed)
        except Exception as error:  # noqa: BLE001 - the first engine draws on, and why is said
            if not self._closed.is_set():
                log.info("%s stays: %s", self._first.name, _words(error))
            return
        self._fed.wait()
        try:
            why = "nobody waits for it" if self._seen is None else self._refused(engine, *self._seen)
        except Exception as error:  # noqa: BLE001 - as above
            why = _words(error)
        with self._lock:
            if not why and not self._closed.is_set():
                self._next = engine
                log.info("%s draws from now on, on %s", engine.name, engine.device)
                return
        engine.close()
        if not self._closed.is_set():
            log.info("%s stays: %s is refused: %s", self._first.name, engine.name, why)

    def _refused(self, engine: Engine, crops: U8, drawn: U8) -> str:
        """Why ``engine`` may not take over; empty where it may. Every batch size is drawn once: that sets it up."""
        for count in range(1, MAX_BATCH + 1):
            if self._closed.is_set():
                return "nobody waits for it"
            engine(np.resize(crops, (count, *crops.shape[1:])))
        return difference(engine, crops, drawn, self._first.name)

    def close(self) -> None:
        """Close every engine; one that is still being made closes itself."""
        self._closed.set()
        self._fed.set()
        self._thread.join(CANCEL_GRACE_S)
        with self._lock:
            held = [self._first, self._drawing, self._next]
            self._next = None
        for engine in {id(e): e for e in held if e is not None}.values():
            engine.close()


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
