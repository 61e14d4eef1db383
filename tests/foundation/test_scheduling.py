import os
import sys
import threading
from pathlib import Path

import pytest

from foundation.scheduling import scheduling_kept

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a thread be urgent")


def policies():
    return {os.sched_getscheduler(int(task.name)) for task in Path("/proc/self/task").iterdir()}


def test_urgent_threads_become_ordinary_again():
    before, done = policies(), threading.Event()
    with scheduling_kept():
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        except PermissionError:
            pytest.skip("this user may not be urgent")
        thread = threading.Thread(target=done.wait)
        thread.start()
        assert os.SCHED_FIFO in policies()
    assert policies() == before
    done.set()
    thread.join()
