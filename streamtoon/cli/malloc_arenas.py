"""Memory that does not creep up while threads hand pictures to each other.

glibc gives nearly every thread a heap of its own and keeps what was freed there for that thread. Here one thread makes
a picture and another frees it: measured over 100 seconds of live, 105 MB more and rising; with two heaps 10 MB, steady.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from typing import Final

ARENA_MAX: Final = -8  # M_ARENA_MAX of glibc's malloc.h


def limit_malloc_arenas() -> bool:
    """Let the threads that begin from now on share two heaps. Whether that could be set: only glibc has it."""
    if sys.platform != "linux":
        return False
    with contextlib.suppress(OSError, AttributeError):
        return bool(ctypes.CDLL(None).mallopt(ARENA_MAX, 2))
    return False
