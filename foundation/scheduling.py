"""How urgent this process's threads are to the system: for libraries that change it and have no switch for that."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def scheduling_kept() -> Iterator[None]:
    """Whatever the block makes of the calling thread's policy, and of threads it starts, is undone afterwards.

    SVT-AV1 opened by root (as in most containers) puts its threads and the caller's before all others of the machine
    (SCHED_FIFO, 99), and every process started from then on inherits that.
    """
    if sys.platform != "linux":
        yield
        return
    policy, parameter = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        for task in Path("/proc/self/task").iterdir():
            thread = int(task.name)
            with suppress(ProcessLookupError):  # it has ended
                if os.sched_getscheduler(thread) in (os.SCHED_FIFO, os.SCHED_RR):
                    os.sched_setscheduler(thread, policy, parameter)
