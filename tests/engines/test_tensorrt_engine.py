"""TensorRT on a scripted CUDA (fake_cuda.py): memory, streams, graphs, callers, faults."""

import shutil
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import engines
import engines.runtimes.tensorrt
from engines import EngineError, Network, nvidia

sys.path.insert(0, str(Path(__file__).parent))
from fake_cuda import load

CROPS = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), np.uint8)
KINDS = ["tensorrt", "tensorrt_rtx"]


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

    def plan(precision, refused, _shape):
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
    def plan(_precision, refused, _shape):
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


def test_all_share_one_logger_that_outlives_them(trt, tmp_path):
    """TensorRT keeps to the first logger that it is given: a second one would hear nothing, and the first must stay."""
    first, second = load(tmp_path), load(tmp_path)
    assert trt.plans[0].log is trt.plans[1].log is nvidia.logger(trt)
    first.close()
    trt.plans[1].fault = "convolution 7 has no kernel"
    with pytest.raises(EngineError, match="convolution 7 has no kernel"):
        second(CROPS)
    second.close()


@pytest.fixture
def whole_pictures(trt, tmp_path):
    """An engine for pictures, twice as large when drawn; and the shapes that plans were asked for."""
    trt.network = Network(0, 2)
    asked = []

    def plan(_precision, refused, shape):
        asked.append(shape)
        file = tmp_path / "comic.plan"
        file.write_bytes(b"foreign" if shape == (80, 80) and not refused else b"%dx%d" % shape)
        return file

    engine = engines.runtimes.tensorrt.load(tmp_path / "comic.onnx", plan=plan)
    yield engine, asked
    engine.close()


@pytest.mark.parametrize("trt", KINDS, indirect=True)
def test_whole_pictures_have_a_plan_for_each_shape(whole_pictures, trt, cuda):
    engine, asked = whole_pictures
    assert asked == []
    assert engine.device == "Fake GPU, fp16"
    shapes = [(16, 24), (64, 32), (16, 24), (80, 80), (24, 16), (64, 32), (16, 24)]
    for number, (h, w) in enumerate(shapes):
        drawn = engine(np.full((2, h, w, 3), number, np.uint8))
        assert drawn.shape == (2, 3 * h, 2 * w)
        assert (drawn == number).all()
    assert asked == [(16, 24), (64, 32), (80, 80), (80, 80), (24, 16), (64, 32), (16, 24)]  # the last three are kept
    assert "comic" in engine.device
    engine.close()
    assert cuda.blocks == {}
    with pytest.raises(EngineError, match="tensorrt was closed"):
        engine(np.zeros((1, 16, 24, 3), np.uint8))


def test_a_plan_that_makes_another_size_is_refused(whole_pictures, trt):
    engine, _ = whole_pictures
    engine(np.zeros((1, 16, 24, 3), np.uint8))
    trt.plans[-1].network = Network(0, 1)  # what it makes is half as large as what memory was taken for
    with pytest.raises(EngineError, match=r"makes \(2, 24, 24\) of 2 pictures of 24x16 px, not \(48, 48\) of each"):
        engine(np.zeros((2, 16, 24, 3), np.uint8))
    with pytest.raises(EngineError, match="must be multiples of 8"):
        engine(np.zeros((2, 16, 20, 3), np.uint8))
