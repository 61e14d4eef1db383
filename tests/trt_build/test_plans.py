"""Plans that TensorRT for RTX really builds, and what goes wrong on the way. Needs no GPU."""

import json
import threading

import pytest
import shipped
from installed import needs_tensorrt

import trt_build
from engines import EngineError
from trt_build import cache, precision
from trt_build.resnet9 import resnet9

pytestmark = needs_tensorrt()
STYLES = ["engraving", "ink", "wash"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A plan cache that the module's tests share."""
    return tmp_path_factory.mktemp("plans")


@pytest.mark.parametrize("kind", ["fp32", "fp16"])
@pytest.mark.parametrize("name", STYLES)
def test_every_shipped_style_is_built_kept_and_found(folder, name, kind):
    first = trt_build.plan(shipped.source(name), kind, folder=folder)
    assert first.built
    assert first.path.stat().st_size > 100_000
    assert first.seconds > 0
    card = json.loads(first.path.with_suffix(".json").read_text("utf-8"))
    assert cache.Key(**card["key"]) == first.key
    assert first.key.precision == kind
    assert first.key.module in ("tensorrt", "tensorrt_rtx")
    again = trt_build.plan(shipped.source(name), kind, folder=folder)
    assert not again.built
    assert (again.path, again.seconds) == (first.path, first.seconds)
    assert f" for {first.key.card}, compiled in " in first.as_text()
    assert f" for {first.key.card}, found; compiled in " in again.as_text()


@pytest.mark.parametrize("name", STYLES)
def test_int8_passes_the_gate_on_other_crops_and_is_built_and_found(folder, name):
    from trt_build import crops

    source = shipped.source(name)
    graph = precision.graph(source, "int8", shipped.crops(source.size, crops.CALIBRATION_SEED))
    judged = shipped.crops(source.size, crops.CHECK_SEED)
    assert precision.near(graph, precision._drawn(source.onnx, judged), judged) >= precision.NEED["int8"]
    onnx = pytest.importorskip("onnx")
    kinds = [node.op_type for node in onnx.load_from_string(graph).graph.node]
    assert kinds.count("QuantizeLinear") >= 12  # half of the convolutions at least
    first, again = (trt_build.plan(source, "int8", folder=folder, photo=shipped.PHOTO) for _ in range(2))
    assert first.path.stat().st_size > 100_000
    assert (first.built, again.built) == (True, False)
    assert len(again.key.calibration) == 64
    other = shipped.crops(source.size, crops.CALIBRATION_SEED)[1:]
    assert cache.key(source, "int8", trt_build.PROFILE, other) != first.key  # other crops, another plan


def test_a_full_size_cyclegan_goes_the_same_way(tmp_path):
    file = tmp_path / "resnet9.onnx"
    file.write_bytes(resnet9())
    source = trt_build.read(file)
    made = [trt_build.plan(source, kind, folder=tmp_path, photo=shipped.PHOTO) for kind in ("fp32", "fp16")]
    sizes = [m.path.stat().st_size for m in made]
    assert sizes[0] > 40e6  # 11.4 million weights
    assert 0.4 < sizes[1] / sizes[0] < 0.7


def test_progress_is_told_and_ends(network, tmp_path):
    told = []
    trt_build.plan(trt_build.read(network), "fp32", folder=tmp_path, progress=lambda *p: told.append(p))
    assert len({name for name, _ in told}) > 3
    assert all(0 <= share <= 1 for _, share in told)


PHASES = [("fp32", ""), ("fp16", "comparing"), ("int8", "calibrating"), ("int8", "ranking layers")]


@pytest.mark.parametrize(("kind", "phase"), PHASES)
def test_cancelling_leaves_nothing(network, tmp_path, kind, phase):
    cancel, told = threading.Event(), []
    place = tmp_path / "plans"

    def progress(name, _share):
        told.append(name)
        if phase in name:
            cancel.set()

    with pytest.raises(EngineError, match="compiling was cancelled"):
        trt_build.plan(
            trt_build.read(network), kind, folder=place, photo=shipped.PHOTO, cancel=cancel, progress=progress
        )
    assert list(place.iterdir()) == []
    assert kind != "int8" or told[-1] == phase  # at its next step
    assert trt_build.plan(trt_build.read(network), "fp32", folder=place).built


def test_a_fault_in_telling_is_told_and_not_called_a_cancellation(network, tmp_path):
    def progress(_name, _share):
        raise BrokenPipeError("nobody reads")

    place = tmp_path / "plans"
    with pytest.raises(BrokenPipeError, match="nobody reads"):
        trt_build.plan(trt_build.read(network), "fp32", folder=place, progress=progress)
    assert list(place.iterdir()) == []


def test_an_operator_tensorrt_lacks_is_named(tmp_path):
    onnx = pytest.importorskip("onnx")
    helper, kinds = onnx.helper, onnx.TensorProto
    ends = [helper.make_tensor_value_info(n, kinds.UINT8, ["n", 64, 64, c]) for n, c in (("crops", 3), ("drawn", 4))]
    nodes = [helper.make_node("Scribble", ["crops"], ["drawn"], domain="ours")]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ours", 1)]
    file = tmp_path / "scribble.onnx"
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:]), opset_imports=opsets), file)
    with pytest.raises(EngineError, match=r"TensorRT does not take the network: Scribble: .*; choose another engine"):
        trt_build.plan(trt_build.read(file), "fp32", folder=tmp_path)
    for kind in ("fp16", "int8"):  # which ONNX Runtime makes of it, and it has no Scribble either
        with pytest.raises(EngineError, match=r"does not take scribble.onnx: "):
            trt_build.plan(trt_build.read(file), kind, folder=tmp_path, photo=shipped.PHOTO)


def test_what_is_built_is_told_quietly(network, tmp_path, capfd):
    trt_build.plan(trt_build.read(network), "fp32", folder=tmp_path)
    said = capfd.readouterr()
    assert said.out + said.err == ""
