"""INT8 graphs are made once for all tests: the real way takes seconds a network."""

import hashlib

import pytest

from trt_build import precision


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
