"""A scripted CUDA, and a scripted TensorRT on it."""

import sys
from pathlib import Path

import pytest

from engines import nvidia, openvino_core

sys.path.insert(0, str(Path(__file__).parent))
import fake_cuda


@pytest.fixture
def cuda(monkeypatch):
    made = fake_cuda.Cuda()
    monkeypatch.setattr(nvidia, "runtime", lambda: made)
    return made


@pytest.fixture
def trt(cuda, monkeypatch, request):
    made = fake_cuda.Trt(cuda)
    kind = getattr(request, "param", "tensorrt")
    monkeypatch.setattr(nvidia, "library", lambda: nvidia.Library(made, kind, "11.4"))
    monkeypatch.setattr(openvino_core, "read", lambda _path: (None, made.network))
    return made
