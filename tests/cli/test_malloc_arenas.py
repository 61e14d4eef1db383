import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, sys, threading
from streamtoon.cli.main import limit_malloc_arenas
if sys.argv[1] == "few" and not limit_malloc_arenas():
    sys.exit("no glibc")
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.fopen.restype = ctypes.c_void_p
begun = threading.Barrier(8)
def work():
    libc.malloc(1000)
    begun.wait()
threads = [threading.Thread(target=work) for _ in range(8)]
[t.start() for t in threads], [t.join() for t in threads]
file = ctypes.c_void_p(libc.fopen(sys.argv[2].encode(), b"w"))
libc.malloc_info(0, file), libc.fclose(file)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's heaps")
def test_threads_share_two_heaps(tmp_path):
    heaps = {}
    for way in ("few", "many"):
        told = tmp_path / way
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM, way, str(told)], capture_output=True, text=True, check=False
        )
        if "no glibc" in run.stderr:
            pytest.skip("another C library")
        assert run.returncode == 0, run.stderr
        heaps[way] = told.read_text().count("<heap nr=")
    assert heaps["few"] <= 2 < heaps["many"]
