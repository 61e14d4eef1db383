"""How many CPU cores this process may use."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

QUOTA_FILE: Final = Path("/sys/fs/cgroup/cpu.max")  # "200000 100000": two cores' time; "max 100000": no limit


def available_cores() -> int:
    """Cores this process gets: fewer than the machine's under ``taskset`` and in a container with a share of them.

    More threads than that would wait for each other, and many wait by spinning.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = map(int, QUOTA_FILE.read_text("ascii").split())
    except (OSError, ValueError):
        return cores
    return max(1, min(cores, -(-quota // period)))
