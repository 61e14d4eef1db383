"""INT8 graphs are made once for all tests: the real way takes seconds a network. TensorRT stays out of pytest."""

import hashlib
import sys

import pytest

from engines import nvidia
from trt_build import precision
from trt_build.resnet9 import resnet9


@pytest.fixture(scope="session", autouse=True)
def _int8_once():
    real, made = precision.int8, {}

    def int8(onnx_path, calibration, tell):
        key = hashlib.sha256(onnx_path.read_bytes() + calibration.tobytes()).hexdigest()
        if key not in made:
            made[key] = real(onnx_path, calibration, tell)
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(precision, "int8", int8)
        yield


@pytest.fixture(scope="session", autouse=True)
def _tensorrt_stays_out_of_this_process():
    """Its builder has crashed in a process that ran a thousand tests before; on a GPU its runtime has to be here."""
    yield
    if not nvidia.driver():
        assert not {"tensorrt", "tensorrt_rtx", "tensorrt_rtx_bindings"} & set(sys.modules)


@pytest.fixture
def network(tmp_path):
    """A small network file: 64 px, in a few milliseconds built."""
    file = tmp_path / "small.onnx"
    file.write_bytes(resnet9(64, width=8, blocks=1))
    return file
