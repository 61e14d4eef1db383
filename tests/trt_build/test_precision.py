"""fp16 and INT8 graphs, made from fp32 and drawn on the CPU."""

import warnings

import numpy as np
import pytest
import shipped

from engines import EngineError
from engines.compare import psnr
from trt_build import crops, precision
from trt_build.graph import Graph
from trt_build.resnet9 import resnet9

onnx = pytest.importorskip("onnx")
PICTURES = shipped.crops(64)[:4]


def network(tmp_path, factor=1.0):
    """Red, green, blue and their mean, by way of a tail whose values are ``factor`` times as large."""
    graph = Graph(0)
    x = graph.add("Transpose", [graph.add("Cast", ["crops"], to=1)], perm=[0, 3, 1, 2])
    rows = np.concatenate([np.eye(3), np.full((1, 3), 1 / 3)]).astype(np.float32)[:, :, None, None]
    x = graph.add("Conv", [x, graph.keep(rows), graph.keep(np.zeros(4, np.float32))], kernel_shape=[1, 1])
    x = graph.add("Div", [graph.add("Mul", [x, graph.keep(np.float32(factor))]), graph.keep(np.float32(factor))])
    x = graph.add("Clip", [graph.add("Round", [x]), graph.keep(np.float32(0)), graph.keep(np.float32(255))])
    graph.add("Cast", [graph.add("Transpose", [x], perm=[0, 2, 3, 1])], name="drawn", to=2)
    file = tmp_path / "network.onnx"
    file.write_bytes(graph.file(64))
    return file


def kinds_of(data):
    """Types that its weights have."""
    return {onnx.numpy_helper.to_array(t).dtype.name for t in onnx.load_from_string(data).graph.initializer}


def judged(data, file):
    return precision.near(data, precision._drawn(file, PICTURES), PICTURES)


def test_fp16_is_half_throughout(tmp_path):
    file = network(tmp_path)
    data = precision.half(file, PICTURES)
    assert kinds_of(data) == {"float16"}
    assert judged(data, file) >= 45


def test_the_tail_keeps_fp32_where_parity_asks_for_it(tmp_path):
    file = network(tmp_path, 3e6)  # beyond what half can hold
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the converter says that it cut a weight off
        data = precision.half(file, PICTURES)
    assert "float32" in kinds_of(data)
    assert judged(data, file) >= 45


def test_norms_keep_fp32(tmp_path):
    file = tmp_path / "small.onnx"
    file.write_bytes(resnet9(64, width=8, blocks=1))
    graph = onnx.load_from_string(precision.half(file, PICTURES)).graph
    types = {t.name: t.data_type for t in graph.initializer}
    norms = [node for node in graph.node if node.op_type == "InstanceNormalization"]
    assert {types[name] for node in norms for name in node.input[1:]} == {onnx.TensorProto.FLOAT}
    assert {types[n.input[1]] for n in graph.node if n.op_type == "Conv"} == {onnx.TensorProto.FLOAT16}


def test_a_style_with_a_half_file_uses_it():
    source = shipped.source("engraving")
    assert precision.graph(source, "fp16") == source.fp16.read_bytes()
    assert precision.graph(source, "fp32") == source.onnx.read_bytes()


def test_int8_is_symmetric_and_explicit():
    source = shipped.source("engraving")
    graph = onnx.load_from_string(
        precision.graph(source, "int8", shipped.crops(source.size, crops.CALIBRATION_SEED))
    ).graph
    values = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    pairs = [n for n in graph.node if n.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert pairs
    assert all(values[n.input[2]].dtype == np.int8 and not values[n.input[2]].any() for n in pairs)
    assert all((values[n.input[1]] > 0).all() for n in pairs)
    weights = [n for n in pairs if n.op_type == "DequantizeLinear" and n.input[0] in values]
    assert weights
    assert all(len(values[n.input[1]]) == len(values[n.input[0]]) for n in weights)  # a scale for each channel


def test_int8_needs_crops():
    source = shipped.source("engraving")
    with pytest.raises(EngineError, match="INT8 needs crops to calibrate on"):
        precision.graph(source, "int8")
    with pytest.raises(EngineError, match="2 at least; 1 were given"):
        precision.graph(source, "int8", np.zeros((1, 256, 256, 3), np.uint8))


def test_psnr():
    a = np.zeros((2, 2), np.uint8)
    assert psnr(a, a) == 99
    assert psnr(a, a + 255) == 0
    assert psnr(a, a + 1) == pytest.approx(48.13, abs=0.01)
