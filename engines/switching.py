"""An engine that changes while it draws: live starts on the CPU, and the compiled engine takes over when it is ready.

The change happens between two calls, so every picture is drawn, once, by one of the two: none is skipped, repeated or
left undrawn for it. The new engine is set up, and compared with the old one on pictures of this call, in a thread of
its own, for each shape of pictures: one of a new shape is drawn by the old engine until then. One that fails or draws
something else is refused. Should it fail later, the old one draws that picture and on. What draws, and why, is logged.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import numpy as np

from engines import MAX_BATCH, U8, Engine
from engines.compare import difference
from engines.network import KEPT_SHAPES

log = logging.getLogger(__name__)

CANCEL_GRACE_S: Final = 1.0  # that closing waits for a build to be cancelled; it ends by itself after that

Seen = tuple[U8, U8]  # pictures, and the first engine's drawings of them
Shape = tuple[int, ...]


class SwitchingEngine:
    """``first`` until ``better`` is ready.

    better: loads the other engine, in a thread of its own, once for each shape of pictures; the event it is given is
    set when nobody waits for it any more. Raises EngineError where it cannot.
    """

    def __init__(self, first: Engine, better: Callable[[threading.Event], Engine]) -> None:
        self._first = self._drawing = first
        self._better = better
        self._ready: OrderedDict[Shape, Engine] = OrderedDict()  # those that took over, by their pictures' shape
        self._asked: set[Shape] = set()  # shapes for which one was, is or will be set up
        self._seen: queue.SimpleQueue[Seen | None] = queue.SimpleQueue()  # of each such shape; None at the end
        self._closed, self._lock = threading.Event(), threading.Lock()
        log.info("%s draws, on %s; looking for a faster engine", first.name, first.device)
        self._thread = threading.Thread(target=self._prepare, name="better engine", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        """Of the engine that drew last."""
        return self._drawing.name

    @property
    def device(self) -> str:
        """Of the engine that drew last."""
        return self._drawing.device

    def __call__(self, pictures: U8) -> U8:
        """uint8 (N, h, w, 3) RGB -> uint8, as the first engine draws them."""
        shape = pictures.shape[1:3]
        self._drawing = self._ready_for(shape)
        if self._drawing is not self._first:
            try:
                return self._drawing(pictures)
            except Exception as error:  # noqa: BLE001 - whatever it was, the first engine can draw
                broken, self._drawing = self._drawing, self._first
                log.warning("%s failed, %s draws: %s", broken.name, self._first.name, _words(error))
                with self._lock:
                    del self._ready[shape]
                broken.close()
        drawn = self._first(pictures)
        if shape not in self._asked:
            self._asked.add(shape)
            self._seen.put((pictures.copy(), drawn.copy()))
        return drawn

    def _ready_for(self, shape: Shape) -> Engine:
        """What draws pictures of that shape; those of shapes that have not been seen for long are closed."""
        old: list[Engine] = []
        with self._lock:
            engine = self._ready.get(shape, self._first)
            if engine is not self._first:
                self._ready.move_to_end(shape)
            while len(self._ready) > KEPT_SHAPES:
                forgotten, its = self._ready.popitem(last=False)
                self._asked.discard(forgotten)
                old.append(its)
        for one in old:
            one.close()
        return engine

    def _prepare(self) -> None:
        """Load the better engine, set it up, compare it, offer it; again for every other shape of pictures."""
        engine = self._loaded()  # at once: compiling a plan takes long
        seen = self._seen.get()
        while engine is not None and self._offered(engine, seen):
            seen = self._seen.get()
            engine = None if seen is None else self._loaded()

    def _loaded(self) -> Engine | None:
        try:
            return self._better(self._closed)
        except Exception as error:  # noqa: BLE001 - the first engine draws on, and why is said
            if not self._closed.is_set():
                log.info("%s stays: %s", self._first.name, _words(error))
            return None

    def _offered(self, engine: Engine, seen: Seen | None) -> bool:
        """Whether ``engine`` may draw pictures as were ``seen``; it is closed where it may not."""
        try:
            why = "nobody waits for it" if seen is None else self._refused(engine, *seen)
        except Exception as error:  # noqa: BLE001 - as above
            why = _words(error)
        with self._lock:
            if not why and not self._closed.is_set() and seen is not None:
                self._ready[seen[0].shape[1:3]] = engine
                log.info("%s draws from now on, on %s", engine.name, engine.device)
                return True
        engine.close()
        if not self._closed.is_set():
            log.info("%s stays: %s is refused: %s", self._first.name, engine.name, why)
        return False

    def _refused(self, engine: Engine, pictures: U8, drawn: U8) -> str:
        """Why ``engine`` may not take over; empty where it may. Every batch size is drawn once: that sets it up."""
        for count in range(1, MAX_BATCH + 1):
            if self._closed.is_set():
                return "nobody waits for it"
            engine(np.resize(pictures, (count, *pictures.shape[1:])))
        return difference(engine, pictures, drawn, self._first.name)

    def close(self) -> None:
        """Close every engine; one that is still being made closes itself."""
        self._closed.set()
        self._seen.put(None)
        self._thread.join(CANCEL_GRACE_S)
        with self._lock:
            held = [self._first, *self._ready.values()]
            self._ready.clear()
        for engine in held:
            engine.close()


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
