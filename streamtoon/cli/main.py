"""The command line: subcommands, and the only place that turns an error into a message and an exit code.

0 done; 1 it could not be done, or the input was damaged; 2 asked wrongly; 130 stopped by Ctrl-C; 143 by SIGTERM.
Heavy libraries are imported where a command needs them: ``streamtoon --help`` answers at once.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Final

from streamtoon.cli import arguments, bench, config_file, console, convert, demo, doctor, engine, live, models, web
from streamtoon.errors import StreamtoonError, UsageError

COMMANDS: Final[tuple[arguments.Command, ...]] = (convert, demo, bench, live, web, doctor, engine, models)
# the terminal of a server tells of the server; what happens in a session is told on its page
LOGGERS: Final = {"web": ("streamtoon.web",)}
MALLOC_ARENA_MAX: Final = -8  # M_ARENA_MAX of glibc's malloc.h
HEAPS: Final = 2


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    try:
        args = config_file.parse(COMMANDS, words)
    except UsageError as error:
        console.tell(f"error: {_one_line(error)}")
        return error.exit_code
    if args.dump_config:
        print(config_file.dump(COMMANDS, args), end="")
        return 0
    command = next(command for command in COMMANDS if args.command == command.NAME)
    asked: list[int] = []  # the exit code for the signal that came
    try:
        _heed(asked)
        with console.shown(*LOGGERS.get(args.command, ())):
            return command.run(args)
    except KeyboardInterrupt:
        console.tell("stopped; nothing half-written was left")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if asked:  # what it interrupts may fail in its own words: an import that was cut off is an ImportError
            return asked[0]
        if args.debug:
            raise
        console.tell(f"error: {_one_line(error)}")
        return error.exit_code if isinstance(error, StreamtoonError) else 1


def run() -> None:
    """The program: ``main``, and then the end of the process, with its exit code."""
    limit_malloc_arenas()
    try:
        code = main()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    # a thread may still be in a camera's driver or in a detector: Python would wait for one, and abort in the other
    if code > 128 or threading.active_count() > 1:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def limit_malloc_arenas() -> bool:
    """Let the threads that begin from now on share two heaps. Whether that could be set: only glibc has it.

    glibc gives nearly every thread a heap of its own and keeps what was freed there for that thread. Here one thread
    makes a frame and another frees it: over 100 seconds of live, 105 MB more and rising; with two heaps 10 MB, steady.
    """
    if sys.platform != "linux":
        return False
    with contextlib.suppress(OSError, AttributeError):
        return bool(ctypes.CDLL(None).mallopt(MALLOC_ARENA_MAX, HEAPS))
    return False


def _heed(asked: list[int]) -> None:
    """From now on SIGINT and SIGTERM write the exit code for them into ``asked`` and raise, wherever they come."""

    def stop(number: int, _frame: object) -> None:
        asked.append(128 + number)
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(asked[0])

    def lost(ignored: sys.UnraisableHookArgs) -> None:
        # raised where Python can only drop it, as in the callbacks that every import makes: the signal is sent again
        if asked and issubclass(ignored.exc_type, KeyboardInterrupt | SystemExit):
            threading.Timer(0.05, os.kill, (os.getpid(), asked[0] - 128)).start()
        else:
            sys.__unraisablehook__(ignored)

    sys.unraisablehook = lost
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # a shell's background job is not to be interrupted
            signal.signal(number, stop)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, StreamtoonError):
        return text
    return f"{type(error).__name__}: {text}; this is a fault of streamtoon, run again with --debug and report it"
