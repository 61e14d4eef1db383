import hashlib

import numpy as np
import pytest

import engines
from engines import EngineError
from engines.runtimes import openvino
from streamtoon import style_folder

CROPS = np.random.default_rng(2).integers(0, 256, (3, 256, 256, 3), dtype=np.uint8)


@pytest.fixture(params=style_folder.names())
def style(request):
    return style_folder.load(request.param)


def test_echo_gives_crops_back_opaque(tmp_path):
    drawn = engines.load("echo", tmp_path)(CROPS)
    assert np.array_equal(drawn[..., :3], CROPS)
    assert drawn[..., 3].min() == 255


def test_auto_runs_every_shipped_style(style):
    engine = engines.load("auto", style.onnx, threads=1)
    drawn = engine(CROPS)
    assert drawn.shape == ((3, 3 * 256, 2 * 256) if style.whole_picture else (3, 256, 256, 4))
    assert drawn.dtype == np.uint8
    assert engine.name == "openvino"
    assert "1 threads" in engine.device or "1 thread" in engine.device
    engine.close()


def test_a_batch_is_its_crops_one_by_one(style):
    engine = engines.load("openvino", style.onnx)
    together, alone = engine(CROPS), np.concatenate([engine(CROPS[i : i + 1]) for i in range(3)])
    assert np.array_equal(together, alone)
    engine.close()


def test_the_machines_own_precision_is_near_f32(style, portrait):
    crops = np.ascontiguousarray(portrait[None, :256, 96:352])
    reference, own = openvino.load(style.onnx, precision="f32"), openvino.load(style.onnx)
    error = ((reference(crops).astype(float) - own(crops)) ** 2).mean()
    assert 10 * np.log10(255**2 / max(error, 1e-9)) > 38


@pytest.mark.parametrize(
    "crops", [CROPS[:0], np.repeat(CROPS, 3, axis=0), CROPS[..., :2], CROPS.astype(np.float32), CROPS[:, :128]]
)
def test_crops_that_break_the_contract_are_refused(crops):
    engine = engines.load("openvino", style_folder.load("engraving").onnx)
    with pytest.raises(EngineError, match=r"pictures are .* they must be uint8 \(1\.\.8, 256, 256, 3\)"):
        engine(crops)


@pytest.mark.parametrize("content", [b"", b"not a network", b"\x08\x07\x12\x07pytorch" * 9])
def test_what_is_no_network_is_one_clear_line(tmp_path, capfd, content):
    file = tmp_path / "bad.onnx"
    file.write_bytes(content)
    with pytest.raises(EngineError, match=r"no engine can run bad.onnx here / .* / openvino: .*bad.onnx") as caught:
        engines.load("auto", file)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_a_truncated_network_is_refused(tmp_path, style):
    whole = style.onnx.read_bytes()
    file = tmp_path / "cut.onnx"
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(EngineError, match=r"cut.onnx"):
        engines.load("openvino", file)


def test_a_network_with_another_contract_is_refused(tmp_path):
    onnx = pytest.importorskip("onnx")
    helper, kinds = onnx.helper, onnx.TensorProto
    graph = helper.make_graph(
        [helper.make_node("Identity", ["a"], ["b"])], "g",
        [helper.make_tensor_value_info("a", kinds.FLOAT, [1, 3, 64, 64])],
        [helper.make_tensor_value_info("b", kinds.FLOAT, [1, 3, 64, 64])],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "other.onnx")
    with pytest.raises(EngineError, match=r"it must map uint8 \[\?,S,S,3\] to uint8 \[\?,S,S,4\], or"):
        engines.load("openvino", tmp_path / "other.onnx")


def test_an_unknown_engine_tells_the_known_ones(tmp_path):
    with pytest.raises(EngineError, match="choose one of auto, tensorrt, onnxruntime, openvino, torch, echo"):
        engines.load("openvinoo", tmp_path)


def test_the_shipped_file_is_the_cards(style):
    assert hashlib.sha256(style.onnx.read_bytes()).hexdigest() == style.sha256
