"""OpenCV's own threads, off while somebody needs the cores for something better."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Final

import cv2


class _OneThread:
    """Counts its users, as the number is one for the process; the last one to leave puts it back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._before = 0

    def enter(self) -> None:
        with self._lock:
            if self._users == 0:
                self._before = cv2.getNumThreads()
                cv2.setNumThreads(1)
            self._users += 1

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                cv2.setNumThreads(self._before)


_ONE_THREAD: Final = _OneThread()


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """OpenCV's functions run in their caller's thread alone within the block, then as they did before."""
    _ONE_THREAD.enter()
    try:
        yield
    finally:
        _ONE_THREAD.leave()
