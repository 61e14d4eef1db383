"""Builders that do not come to their end, for test_compiler.py: they run where builder.py would."""

import os
import signal
import sys
import time

from engines import EngineError, nvidia
from trt_build import builder


def crashes(tell, **_order):
    tell(["Building Engine", 0.5])
    sys.stderr.write("corrupted double-linked list\n")
    sys.stderr.flush()
    os.kill(os.getpid(), signal.SIGSEGV)


def is_killed(_tell, **_order):
    os.kill(os.getpid(), signal.SIGKILL)


def hangs(tell, **_order):
    tell([str(os.getpid()), 0.0])
    time.sleep(600)


def eats_the_memory(_tell, **_order):
    raise MemoryError


def has_a_fault(_tell, **_order):
    raise ValueError("no such layer")


def data_centre_without_a_gpu(tell, **order):
    """The real builder, told that the data-centre TensorRT is installed and that there is no GPU, for each reason."""
    nvidia.library = lambda: nvidia.Library(None, "tensorrt", "11.4.0")
    for fault in ("no NVIDIA driver found", "the NVIDIA driver is too old", "cuda-bindings is not installed"):

        def gpu(why=fault):
            raise EngineError(why)

        nvidia.gpu = gpu
        try:
            builder.build(tell, **order)
        except EngineError as error:
            tell([str(error), 0.0])
    builder.build(tell, **order)
