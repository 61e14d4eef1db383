"""What test_child.py runs in a process of its own."""

import ctypes
import os
import signal
import sys
import threading
import time
from pathlib import Path

from foundation import errors
from foundation.child import Child


class LaterError(errors.EngineError):
    """A kind of EngineError that only this module knows."""


def add(tell, *, first, second):
    for number in range(3):
        tell({"phase": "adding", "share": number / 3})
    return {"sum": first + second}


def tell_from_threads(tell, *, count):
    threads = [threading.Thread(target=lambda: [tell("x" * 5000) for _ in range(20)]) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return count


def print_much(_tell):
    print("to stdout")
    os.write(1, b'{"result": "forged"}\n')
    sys.stderr.write("to stderr\n" * 100_000)
    return "quiet"


def fail(_tell, *, kind):
    kinds = {
        "later": LaterError("the GPU\nis gone"),
        "usage": errors.UsageError("asked wrongly"),
        "value": ValueError("no number"),
        "memory": MemoryError(),
    }
    raise kinds[kind]


def end(_tell, *, how):
    sys.stderr.write("first words\nlast words\n")
    sys.stderr.flush()
    if how == "segfault":
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)
        ctypes.string_at(0)
    if how == "quiet":
        os.close(2)
    os.kill(os.getpid(), signal.SIGKILL) if how == "kill" else os._exit(3)


def hang(tell):
    tell(os.getpid())
    time.sleep(600)


def eat(_tell, *, megabytes):
    return len(bytearray(megabytes << 20))


def look(_tell):
    victim = Path("/proc/self/oom_score_adj")
    return {
        "nice": os.nice(0),
        "interrupt": signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
        "first_out_of_memory": victim.read_text("ascii").strip() if victim.is_file() else "1000",
        "command": sys.orig_argv[-1],
    }


def start_another(tell):
    """A child of a child, which is killed: the inner one must not go on."""
    with Child("jobs_in_child:hang", {}) as inner:
        for pid in inner.messages():
            tell(pid)
