"""TensorRT on a scripted CUDA (fake_cuda.py): memory, streams, graphs, callers, faults; and on a real GPU."""

import shutil
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import shipped

import engines
import engines.runtimes.tensorrt
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
    def plan(precision, _refused):
        file = tmp_path / f"ink-{precision}.plan"
        file.write_bytes(data)
        return file

    return engines.runtimes.tensorrt.load(tmp_path / "ink.onnx", plan=plan, callers=callers)


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
    """Its key was right and TensorRT does not take it: whoever keeps plans is told why, and compiles another."""
    file = tmp_path / "ink-fp16.plan"
    asked = []

    def plan(precision, refused):
        asked.append((precision, refused))
        file.write_bytes(b"plan" if refused else b"foreign")
        return file

    engine = engines.runtimes.tensorrt.load(tmp_path / "ink.onnx", plan=plan)
    assert asked == [("fp16", ""), ("fp16", "The plan was made for another GPU")]
    assert np.array_equal(engine(CROPS)[..., :3], 255 - CROPS)
    engine.close()


@pytest.mark.parametrize("room", [0, 6500, 15_000, 28_700])  # for none, one, two, all but the last of five
def test_out_of_gpu_memory(trt, cuda, tmp_path, room):
    cuda.room = room
    with pytest.raises(
        EngineError, match=r"^out of GPU memory; close what else uses the GPU, or draw with --engine openvino$"
    ):
        load(tmp_path)
    assert cuda.blocks == {}


def test_a_good_plan_that_the_gpu_has_no_room_for_is_not_made_again(trt, tmp_path):
    def plan(_precision, refused):
        assert not refused
        (tmp_path / "ink.plan").write_bytes(b"too large")
        return tmp_path / "ink.plan"

    with pytest.raises(EngineError, match=r"^out of GPU memory; close what else"):
        engines.runtimes.tensorrt.load(tmp_path / "ink.onnx", plan=plan)


def test_what_cannot_be_captured_is_drawn_without_a_graph(trt, cuda, tmp_path):
    cuda.capturing = False
    engine = load(tmp_path)
    for _ in range(3):
        assert np.array_equal(engine(CROPS)[..., :3], 255 - CROPS)
    assert cuda.launches == 0
    engine.close()


def test_after_a_fault_it_sets_itself_up_again(trt, cuda, tmp_path):
    engine = load(tmp_path)
    trt.plans[0].fault = "it was too warm"
    with pytest.raises(EngineError, match="it was too warm"):
        engine(CROPS)
    trt.plans[0].fault = ""
    for _ in range(2):
        assert np.array_equal(engine(CROPS)[..., :3], 255 - CROPS)
    assert cuda.launches == 1
    engine.close()


@pytest.mark.parametrize("trt", KINDS, indirect=True)
def test_closing_while_somebody_draws_frees_when_they_are_done(trt, cuda, tmp_path):
    engine = load(tmp_path)
    trt.plans[0].go.clear()
    drawn, late = [], []

    def wait():
        with pytest.raises(EngineError, match="tensorrt was closed"):
            engine(CROPS)
        late.append(True)

    threads = [threading.Thread(target=lambda: drawn.append(engine(CROPS)))]
    threads[0].start()
    assert trt.plans[0].entered.wait(10)
    threads.append(threading.Thread(target=wait))  # for the one lane that is taken
    threads[1].start()
    engine.close()
    assert cuda.blocks  # the GPU still writes there
    trt.plans[0].go.set()
    for thread in threads:
        thread.join(10)
    assert np.array_equal(drawn[0][..., :3], 255 - CROPS)
    assert late
    assert cuda.blocks == {}


def test_a_closed_engine_says_so(trt, cuda, tmp_path):
    engine = load(tmp_path, callers=2)
    engine(CROPS)
    cuda.done.clear()
    engine.close()
    engine.close()
    assert cuda.done[0] == "wait"  # before anything is freed
    for _ in range(3):
        with pytest.raises(EngineError, match="tensorrt was closed"):
            engine(CROPS)


@pytest.mark.parametrize("trt", ["tensorrt_rtx"], indirect=True)
@pytest.mark.parametrize("fault", ["nothing to keep", "the folder is gone"])
def test_closing_raises_nothing_and_frees_all(trt, cuda, tmp_path, fault):
    place = tmp_path / "plans"
    place.mkdir()
    engine = load(place)
    engine(CROPS)
    if fault == "nothing to keep":
        trt.plans[0].compiled = None
    else:
        shutil.rmtree(place)
    engine.close()
    assert cuda.blocks == {}
    assert list(tmp_path.rglob("*.kernels")) == []
    assert list(tmp_path.rglob("*.part")) == []


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


def test_all_share_one_logger_that_outlives_them(trt, tmp_path):
    """TensorRT keeps to the first logger that it is given: a second one would hear nothing, and the first must stay."""
    first, second = load(tmp_path), load(tmp_path)
    assert trt.plans[0].log is trt.plans[1].log is nvidia.logger(trt)
    first.close()
    trt.plans[1].fault = "convolution 7 has no kernel"
    with pytest.raises(EngineError, match="convolution 7 has no kernel"):
        second(CROPS)
    second.close()


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
        return nvidia.ready()[1].name  # asks for the GPU first: without one TensorRT stays out of this process
    except EngineError as error:
        return error


NETWORKS = [(name, kind) for name in ("engraving", "ink", "wash") for kind in ("fp32", "fp16", "int8")]


@pytest.mark.gpu
@pytest.mark.skipif(isinstance(_gpu(), EngineError), reason=str(_gpu()))
@pytest.mark.parametrize(("name", "precision"), [*NETWORKS, ("resnet9", "fp32"), ("resnet9", "fp16")])
def test_on_a_gpu_the_parity_gate_passes(name, precision, tmp_path):
    import trt_build
    from trt_build import precision as of
    from trt_build.resnet9 import resnet9

    if name == "resnet9":
        name = tmp_path / "resnet9.onnx"
        name.write_bytes(resnet9())
    source = shipped.source(name)
    reference = engines.load("openvino:f32", source.onnx)
    engine = engines.runtimes.tensorrt.load(
        source.onnx,
        precision,
        plan=lambda *_: trt_build.plan(source, precision, folder=tmp_path, photo=shipped.PHOTO).path,
        callers=2,
    )
    pictures = shipped.crops(source.size)[:: 8 if precision != "int8" else 1]
    batches = [pictures[i : i + 8] for i in range(0, len(pictures), 8)]
    drawn = [np.concatenate([e(batch) for batch in batches]) for e in (engine, reference)]
    assert of.psnr(*drawn) >= of.NEED[precision]
    for count in range(1, 9):  # each lane: set up, then again; as a graph where the data-centre TensorRT runs it
        several = [engine(pictures[:count]) for _ in range(4)]
        assert all(of.psnr(one, drawn[0][:count]) >= of.NEED[precision] for one in several)
    with ThreadPoolExecutor(4) as pool:  # more callers than lanes, each with crops of its own
        for i, one in enumerate(pool.map(lambda i: engine(pictures[i : i + 1]), [i % 8 for i in range(32)])):
            assert of.psnr(one, drawn[0][i % 8 : i % 8 + 1]) >= of.NEED[precision]
    engine.close()
    reference.close()


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
