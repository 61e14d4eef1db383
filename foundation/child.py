"""A function in a process of its own: a library that crashes, hangs or eats the memory takes nothing else with it.

``Child("package.module:function", {"name": value})`` calls ``function(tell, name=value)`` there. Arguments, what is
told and the result are JSON. ``tell(x)`` sends ``x`` while the function runs; what it returns is the result, what it
raises is raised here. The process imports from where this one does, leaves Ctrl-C to this one, and ends with it.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from foundation import errors
from foundation.errors import ChildError, StreamtoonError

Tell = Callable[[Any], None]

POLL_S: Final = 0.05  # how often a wait looks whether it was cancelled
EXIT_S: Final = 5.0  # from the end of what it tells to the end of the process
LAST_WORDS_BYTES: Final = 4000  # of stderr that are kept
FIRST_OUT_OF_MEMORY: Final = "1000"  # Linux ends the process with the highest oom_score_adj first


class Child:
    """One function call in a process of its own. Whoever makes it calls ``stop``, or uses it in a ``with``.

    memory_bytes: most address space it may take (RLIMIT_AS; not on Windows, and not for CUDA, which reserves more than
    a machine has); more is a MemoryError there. nice: how much lower its priority is.
    """

    def __init__(
        self, function: str, arguments: Mapping[str, Any], *, memory_bytes: int | None = None, nice: int = 0
    ) -> None:
        order = {"function": function, "arguments": dict(arguments), "memory_bytes": memory_bytes, "nice": nice}
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "foundation.child", function],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )  # fmt: skip
        except OSError as error:
            raise ChildError(f"its process cannot be started: {error.strerror or error}") from error
        self._lines: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._last_words = b""
        self._done: dict[str, Any] | None = None
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read_lines, self._read_words)]
        for reader in self._readers:
            reader.start()
        with contextlib.suppress(OSError):  # it has ended already, which is told when it is asked
            self._stdin.write(json.dumps(order).encode() + b"\n")
            self._stdin.flush()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def messages(self, *, timeout_s: float | None = None, cancel: threading.Event | None = None) -> Iterator[Any]:
        """What it tells, until its function has returned. timeout_s: longest wait for the next message or the end.

        Once ``cancel`` is set nothing more is given. Raises what the function raised where that is a StreamtoonError or
        MemoryError; else ChildError, also where the process ends by itself, is silent for too long, or is cancelled.
        In each of these cases the process is ended.
        """
        while self._done is None:
            line = self._next(timeout_s, cancel)
            if "told" in line:
                yield line["told"]
            else:
                self._done = line
        if "result" not in self._done:
            raise _raised(self._done)

    def result(self, *, timeout_s: float | None = None, cancel: threading.Event | None = None) -> Any:
        """What its function returned, whatever it tells on the way. Waits and raises as ``messages``."""
        for _ in self.messages(timeout_s=timeout_s, cancel=cancel):
            pass
        return None if self._done is None else self._done["result"]

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        for reader in self._readers:
            reader.join(1)  # a process that the child left behind may hold the pipes
        with contextlib.suppress(OSError):
            self._stdin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _stdin(self) -> Any:
        return self._process.stdin

    def _next(self, timeout_s: float | None, cancel: threading.Event | None) -> dict[str, Any]:
        """The next line; ends the process and raises ChildError where none will come."""
        end = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            if cancel is not None and cancel.is_set():
                self.stop()
                raise ChildError("it was cancelled")
            try:
                line = self._lines.get(timeout=POLL_S)
            except queue.Empty:
                if end is not None and time.monotonic() > end:
                    self.stop()
                    raise ChildError(f"it gave no answer within {timeout_s:g} seconds") from None
                continue
            if line is None:
                self._lines.put(None)  # for whoever asks again
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(EXIT_S)
                self.stop()
                raise ChildError(_death(self._process.returncode, self._last_words.decode(errors="replace")))
            return line

    def _read_lines(self) -> None:
        with self._process.stdout or contextlib.nullcontext(()) as stream:
            for line in stream:
                with contextlib.suppress(ValueError):  # cut off: its end follows
                    self._lines.put(json.loads(line))
        self._lines.put(None)

    def _read_words(self) -> None:
        stream = self._process.stderr
        while stream is not None and (words := os.read(stream.fileno(), LAST_WORDS_BYTES)):
            self._last_words = (self._last_words + words)[-LAST_WORDS_BYTES:]
        if stream is not None:
            stream.close()


def _raised(line: dict[str, Any]) -> Exception:
    """The exception of a line that tells one."""
    kind, text = str(line["error"]), str(line["text"])
    if kind == "MemoryError":
        return MemoryError(text)
    known = getattr(errors, kind, None)
    if isinstance(known, type) and issubclass(known, StreamtoonError):
        return known(text)
    return ChildError(f"{kind}: {text}", kind)


def _death(code: int, words: str) -> str:
    """Why a process ended that gave no result."""
    last = (words.strip().splitlines() or [""])[-1].strip()
    if code < 0:
        with contextlib.suppress(ValueError):  # a signal that Python has no name for
            return f"its process was ended by {signal.Signals(-code).name}" + (f": {last}" if last else "")
    return last or f"its process ended with code {code}"


def _run() -> None:
    """In the process of its own: do what the first line of stdin orders, tell it on stdout."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends Ctrl-C to both; whoever started this ends it
    with os.fdopen(os.dup(0), "rb", buffering=0) as stdin:
        order = json.loads(stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not lie between the lines
    lock = threading.Lock()  # the function may tell from several threads

    def send(line: dict[str, Any]) -> None:
        text = json.dumps(line) + "\n"
        with lock:
            out.write(text)
            out.flush()

    _limit(order["memory_bytes"], order["nice"])
    try:
        module, _, name = order["function"].partition(":")
        function = getattr(importlib.import_module(module), name)
        line = {"result": function(lambda words: send({"told": words}), **order["arguments"])}
    except Exception as error:  # noqa: BLE001 - raised again by whoever started this
        known = (kind for kind in type(error).__mro__ if kind.__module__ == errors.__name__)
        line = {"error": next(known, type(error)).__name__, "text": str(error)}
    send(line)


def _limit(memory_bytes: int | None, nice: int) -> None:
    if hasattr(os, "nice"):
        os.nice(nice)
    with contextlib.suppress(OSError):  # another system than Linux has no such file
        Path("/proc/self/oom_score_adj").write_text(FIRST_OUT_OF_MEMORY, encoding="ascii")
    if memory_bytes is None:
        return
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _end_with_parent() -> None:
    """End this process when the one that started it has ended: then nobody holds the other end of stdin."""
    while os.read(0, 4096):
        pass
    os._exit(1)


if __name__ == "__main__":
    _run()
