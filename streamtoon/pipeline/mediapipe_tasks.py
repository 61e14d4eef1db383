"""What every MediaPipe task needs: its options, its pictures, and no lines of its own on the terminal."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from streamtoon.types import U8

BLANK: Final = np.zeros((64, 64, 3), np.uint8)
JOIN_SECONDS: Final = 1.0  # for the last lines to be passed on; a child process may keep the pipe open for longer
MAX_READ_BYTES: Final = 65536

# information and warnings of absl, LiteRT and TensorFlow Lite; errors are passed on
LEVELS: Final = frozenset({b"INFO: ", b"WARNING: "})  # LiteRT writes level, message and end of line one by one
CHATTER: Final = re.compile(
    rb"[IW]\d{4} \d\d:\d\d:\d+\.\d+ +\d+ \S+\.cc:\d+\] "
    rb"|(?:INFO: |WARNING: )?\[\S+\.cc:\d+\] "
    rb"|(?:INFO: )?Created TensorFlow Lite \S+ delegate for CPU\."
    rb"|WARNING: (?:Logging before InitGoogle\(\)|All log messages before absl::InitializeLog\(\)) "
)


class _Sieve:
    """Everything written to file descriptor 2 goes on to where it went, but for lines of CHATTER.

    MediaPipe's C++ side writes there while it loads and first runs, whatever log level is asked for, and offers no way
    to turn that off. Users in several threads share one pipe; the descriptor is put back when the last one leaves.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._kept = -1
        self._thread: threading.Thread | None = None

    def enter(self) -> None:
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._start()

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0 and self._thread is not None:
                self._stop(self._thread)

    def _start(self) -> None:
        _flush()
        try:
            self._kept = os.dup(2)
        except OSError:  # there is no standard error to write to
            return
        source, sink = _pipe()
        os.dup2(sink, 2)
        os.close(sink)
        self._thread = threading.Thread(target=_pass_on, args=(source, os.dup(self._kept)), daemon=True)
        self._thread.start()

    def _stop(self, thread: threading.Thread) -> None:
        _flush()
        os.dup2(self._kept, 2)  # the last writer of this process closes the pipe, and the thread ends
        os.close(self._kept)
        self._thread = None
        thread.join(JOIN_SECONDS)


def _flush() -> None:
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()


def _pipe() -> tuple[int, int]:
    """Both ends of a pipe; where the system can, each read gives one write alone, since the writes of threads mix."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # some sandboxes know no such pipes
            return os.pipe2(os.O_DIRECT | os.O_CLOEXEC)
    return os.pipe()


def _pass_on(source: int, target: int) -> None:
    """Copy what is written into ``source`` to ``target`` until the writers end, without CHATTER; closes both."""
    ends = 0  # of lines of CHATTER that are still to come
    try:
        while data := os.read(source, MAX_READ_BYTES):
            for piece in data.splitlines(keepends=True):
                if CHATTER.match(piece):
                    ends += not piece.endswith(b"\n")
                elif piece == b"\n" and ends:
                    ends -= 1
                elif piece not in LEVELS:
                    _write(target, piece)
    finally:
        os.close(source)
        os.close(target)


def _write(target: int, data: bytes) -> None:
    with contextlib.suppress(OSError):  # whoever read it is gone; writers must not be stopped by that
        while data:
            data = data[os.write(target, data) :]


_SIEVE: Final = _Sieve()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep MediaPipe's own lines off the standard error; everything else written meanwhile, by any thread, arrives."""
    _SIEVE.enter()
    try:
        yield
    finally:
        _SIEVE.leave()


def options(buffer: bytes) -> Any:
    """Base options of a task whose model is ``buffer``."""
    from mediapipe.tasks.python.core.base_options import BaseOptions

    return BaseOptions(model_asset_buffer=buffer)


def image(picture: U8) -> Any:
    """(h, w, 3) uint8 RGB as MediaPipe's Image."""
    import mediapipe

    return mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(picture))
