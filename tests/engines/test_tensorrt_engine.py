"""engines.tensorrt on a scripted CUDA (fake_cuda.py): memory, streams, graphs, callers, faults; and on a real GPU."""

import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import engines
import engines.tensorrt
from engines import EngineError, nvidia

sys.path.insert(0, str(Path(__file__).parent))
import fake_cuda

CROPS = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), np.uint8)
KINDS = ["tensorrt", "tensorrt_rtx"]


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
    return made


def load(tmp_path, data=b"plan", callers=1):
    def plan(precision):
        file = tmp_path / f"ink-{precision}.plan"
        file.write_bytes(data)
        return file

    return engines.tensorrt.load(tmp_path / "ink.onnx", plan=plan, callers=callers)


@pytest.mark.parametrize("trt", KINDS, indirect=True)
def test_every_batch_size_is_drawn_again_and_again(trt, tmp_path):
    engine = load(tmp_path)
    for count in (1, 8, 3, 1, 8, 3):
        drawn = engine(CROPS[:count])
        assert np.array_equal(drawn[..., :3], 255 - CROPS[:count])
        assert drawn[..., 3].min() == 255
    assert engine.name == "tensorrt"
    assert "Fake GPU" in engine.device
    engine.close()


def test_a_graph_of_each_batch_size_is_captured_once_and_replayed(trt, cuda, tmp_path):
    engine = load(tmp_path)
    for count in (1, 4, 1, 4, 4):
        engine(CROPS[:count])
    assert cuda.launches == 3
    assert len(trt.plans[0].contexts) == 2
    engine.close()


@pytest.mark.parametrize("trt", ["tensorrt_rtx"], indirect=True)
def test_tensorrt_for_rtx_captures_itself_and_keeps_its_kernels(trt, cuda, tmp_path):
    engine = load(tmp_path)
    for count in (1, 4, 1):
        engine(CROPS[:count])
    assert cuda.launches == 0
    assert len(trt.plans[0].contexts) == 1
    engine.close()
    assert (tmp_path / "ink-fp16.kernels").read_bytes() == b"compiled kernels"
    load(tmp_path).close()
    assert trt.plans[1].kernels == b"compiled kernels"


@pytest.mark.parametrize("trt", KINDS, indirect=True)
def test_closing_frees_all_memory(trt, cuda, tmp_path):
    engine = load(tmp_path, callers=2)
    engine(CROPS)
    assert cuda.blocks
    engine.close()
    assert cuda.blocks == {}


def test_several_callers_draw_their_own_crops(trt, cuda, tmp_path):
    engine = load(tmp_path, callers=2)
    wrong = []

    def call(which):
        for _ in range(20):
            crops = CROPS[which : which + 1]
            if not np.array_equal(engine(crops)[..., :3], 255 - crops):
                wrong.append(which)

    threads = [threading.Thread(target=call, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    engine.close()


def test_what_breaks_the_contract_is_refused(trt, tmp_path):
    engine = load(tmp_path)
    for crops in (CROPS[:0], np.repeat(CROPS, 2, axis=0), CROPS.astype(np.float32), CROPS[:, :8]):
        with pytest.raises(EngineError, match=r"must be uint8 \(1\.\.8, 16, 16, 3\)"):
            engine(crops)
    engine.close()


def test_a_fault_of_tensorrt_comes_back_with_its_reason(trt, tmp_path):
    engine = load(tmp_path)
    trt.plans[0].fault = "convolution 7 has no kernel"
    with pytest.raises(EngineError, match=r"tensorrt could not draw: convolution 7 has no kernel$"):
        engine(CROPS)
    engine.close()


def test_a_plan_of_another_gpu_says_what_to_do(trt, tmp_path):
    with pytest.raises(
        EngineError, match=r"ink-fp16.plan does not load: The plan was made for another GPU; run `streamtoon"
    ):
        load(tmp_path, b"foreign")


def test_a_plan_that_does_not_load_is_made_again(trt, tmp_path):
    """Its key was right and TensorRT does not take it: the file goes, and whoever keeps plans compiles another."""
    file = tmp_path / "ink-fp16.plan"
    asked = []

    def plan(precision):
        asked.append(precision)
        if not file.exists():
            file.write_bytes(b"foreign" if len(asked) == 1 else b"plan")
        return file

    engine = engines.tensorrt.load(tmp_path / "ink.onnx", plan=plan)
    assert asked == ["fp16", "fp16"]
    assert np.array_equal(engine(CROPS)[..., :3], 255 - CROPS)
    engine.close()


def test_out_of_gpu_memory(trt, cuda, tmp_path):
    cuda.full = True
    with pytest.raises(
        EngineError, match=r"out of GPU memory; close what else uses the GPU, or draw with --engine openvino"
    ):
        load(tmp_path)
    assert cuda.blocks == {}


def test_no_driver_an_old_one_and_no_gpu(trt, cuda, tmp_path):
    cuda.version = 0
    with pytest.raises(EngineError, match="no NVIDIA driver found"):
        engines.load("tensorrt", tmp_path / "x.onnx", plan=lambda _: pytest.fail("compiled for nothing"))
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


def _gpu():
    try:
        nvidia.library()
        return nvidia.gpu().name
    except EngineError as error:
        return error


@pytest.mark.gpu
@pytest.mark.skipif(isinstance(_gpu(), EngineError), reason=str(_gpu()))
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize("name", ["ink", "wash"])
def test_on_a_gpu_the_parity_gate_passes(name, precision, tmp_path):
    import trt_build
    from trt_build import crops
    from trt_build import precision as of

    source = trt_build.read(name)
    made = trt_build.plan(source, precision, folder=tmp_path)
    reference = engines.load("openvino:f32", source.onnx)
    engine = engines.load("tensorrt", source.onnx, plan=lambda _: made.path)
    pictures = crops.default(source.size)
    drawn = [np.concatenate([e(pictures[i : i + 8]) for i in range(0, 64, 8)]) for e in (engine, reference)]
    for count in range(1, 9):
        assert np.array_equal(engine(pictures[:count]), engine(pictures[:count]))
    engine.close()
    reference.close()
    assert of.psnr(*drawn) >= of.NEED[precision]


def test_who_has_no_driver_is_not_told_to_install_tensorrt(monkeypatch, tmp_path):
    monkeypatch.setattr(nvidia, "installed", lambda: False)
    monkeypatch.setattr(nvidia, "driver", lambda: False)
    with pytest.raises(EngineError, match="no NVIDIA driver found"):
        engines.load("tensorrt", tmp_path / "ink.onnx")
