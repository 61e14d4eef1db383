"""OpenVINO's core: one for the process, never freed.

Its CPU plugin gives the thread that loads it another stack for signal handlers, and unmaps that stack when the last
core is freed. Where another thread frees it, the first one is left with a stack that is gone: the next signal, Ctrl-C
for one, is a segmentation fault (OpenVINO 2026.4).
"""

from __future__ import annotations

import threading
from typing import Any

_lock = threading.Lock()
_cores: list[Any] = []


def core() -> Any:
    """The ``openvino.Core`` that everything here compiles networks with."""
    import openvino

    with _lock:
        if not _cores:
            _cores.append(openvino.Core())
        return _cores[0]
