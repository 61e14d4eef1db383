"""A signal after an engine was closed by another thread than the one that loaded it is no crash."""

import subprocess
import sys

import pytest

from streamtoon import style_folder

CODE = """
import gc, os, signal, sys, threading, time
from pathlib import Path
from engines import load

engine = load(sys.argv[1], Path(sys.argv[2]), threads=1)

def close():
    global engine
    engine.close()
    engine = None
    gc.collect()

closing = threading.Thread(target=close)
closing.start()
closing.join()
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(10)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize("name", ["openvino", "onnxruntime:cpu", "torch"])
def test_ctrl_c_after_an_engine_was_closed_in_another_thread(name):
    network = style_folder.load(style_folder.DEFAULT).onnx
    run = subprocess.run(
        [sys.executable, "-c", CODE, name, str(network)], capture_output=True, text=True, check=False, timeout=120
    )
    assert (run.returncode, run.stdout) == (0, "interrupted\n"), run.stderr
