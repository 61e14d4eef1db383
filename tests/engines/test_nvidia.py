"""Which driver, GPU and TensorRT are there, and what is told where one is missing."""

import sys

import pytest

import engines
import engines.runtimes.tensorrt
from engines import EngineError, nvidia


def test_no_driver_an_old_one_and_no_gpu(trt, cuda, tmp_path):
    cuda.version = 0
    with pytest.raises(EngineError, match="no NVIDIA driver found"):
        engines.load("tensorrt", tmp_path / "x.onnx", plan=lambda *_: pytest.fail("compiled for nothing"))
    cuda.version, cuda.devices = 12020, (cuda.cudaError_t.cudaErrorInsufficientDriver, 0)
    with pytest.raises(EngineError, match=r"too old: it runs CUDA 12\.2, not 13\.4; update the driver"):
        nvidia.gpu()
    cuda.devices = (cuda.cudaError_t.cudaErrorNoDevice, 0)
    with pytest.raises(EngineError, match="sees no GPU"):
        nvidia.gpu()


def test_a_named_engine_never_falls_back(tmp_path, monkeypatch):
    monkeypatch.setattr(nvidia, "gpu", lambda: (_ for _ in ()).throw(EngineError("no NVIDIA driver found")))
    with pytest.raises(EngineError, match=r"^no engine can run ink.onnx here / tensorrt: no NVIDIA driver found$"):
        engines.load("tensorrt", tmp_path / "ink.onnx")


def test_no_tensorrt_is_told_with_the_way_to_get_it(monkeypatch):
    nvidia.library.cache_clear()
    for name in ("tensorrt", "tensorrt_rtx", "tensorrt_rtx_bindings"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(EngineError, match=r"TensorRT is not installed; pip install .*\[tensorrt\]"):
        nvidia.library()
    nvidia.library.cache_clear()


@pytest.mark.parametrize(("version", "good"), [("10.3.0", False), ("10.12.0.36", True), ("11.4.0.106", True)])
def test_which_data_centre_versions_are_taken(monkeypatch, version, good):
    nvidia.library.cache_clear()
    fake = type(sys)("tensorrt")
    fake.__version__ = version
    monkeypatch.setitem(sys.modules, "tensorrt", fake)
    for name in ("tensorrt_rtx", "tensorrt_rtx_bindings"):
        monkeypatch.setitem(sys.modules, name, None)
    if good:
        assert nvidia.library() == nvidia.Library(fake, "tensorrt", version)
    else:
        with pytest.raises(EngineError, match=r"too old, 10\.12 or newer"):
            nvidia.library()
    nvidia.library.cache_clear()


def test_who_has_no_driver_is_not_told_to_install_tensorrt(monkeypatch, tmp_path):
    monkeypatch.setattr(nvidia, "installed", lambda: False)
    monkeypatch.setattr(nvidia, "driver", lambda: False)
    with pytest.raises(EngineError, match="no NVIDIA driver found"):
        engines.load("tensorrt", tmp_path / "ink.onnx")


def test_who_has_a_driver_is_told_what_to_install(trt, cuda, monkeypatch, tmp_path):
    """A driver and half of the packages: the data-centre TensorRT alone, or cuda-bindings alone."""
    monkeypatch.setattr(nvidia, "installed", lambda: False)
    monkeypatch.setattr(nvidia, "driver", lambda: True)

    def none():
        raise EngineError(f"it is not installed; {nvidia.INSTALL}")

    for part in ("runtime", "library"):
        with monkeypatch.context() as patch:
            patch.setattr(nvidia, part, none)
            with pytest.raises(EngineError, match=r"it is not installed; pip install .*\[tensorrt\]"):
                engines.load("tensorrt", tmp_path / "ink.onnx", plan=lambda *_: pytest.fail("compiled for nothing"))
