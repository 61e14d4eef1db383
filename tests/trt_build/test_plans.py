"""Plans that TensorRT for RTX really builds, its cache, and what goes wrong on the way. Needs no GPU."""

import dataclasses
import errno
import json
import os
import re
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import shipped

import trt_build
from engines import EngineError, nvidia
from foundation import files
from streamtoon import style_folder as styles
from trt_build import cache, precision
from trt_build.resnet9 import resnet9


def _missing():
    try:
        nvidia.identity()
    except EngineError as error:
        return str(error)
    return ""


pytestmark = pytest.mark.skipif(bool(_missing()), reason=_missing() or "-")
STYLES = ["engraving", "ink", "wash"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A plan cache that the module's tests share."""
    return tmp_path_factory.mktemp("plans")


@pytest.fixture
def network(tmp_path):
    """A small network file: 64 px, in a few milliseconds built."""
    file = tmp_path / "small.onnx"
    file.write_bytes(resnet9(64, width=8, blocks=1))
    return file


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


CHANGES = {
    "network": "0" * 64, "precision": "fp16", "calibration": "1" * 64, "profile": "1-8-8", "module": "tensorrt",
    "version": "1.7.0.1", "cuda": "13.0", "gpu": "NVIDIA RTX 4090", "capability": "8.9", "recipe": 0,
}  # fmt: skip


@pytest.mark.parametrize("part", [f.name for f in dataclasses.fields(cache.Key)])
def test_every_part_of_the_key_counts(network, tmp_path, monkeypatch, part):
    source = trt_build.read(network)
    first = trt_build.plan(source, "fp32", folder=tmp_path)
    real = cache.key
    monkeypatch.setattr(cache, "key", lambda *a: dataclasses.replace(real(*a), **{part: CHANGES[part]}))
    other = trt_build.plan(source, "fp32", folder=tmp_path)
    assert other.built
    assert other.path != first.path
    if part == "precision":  # its plans have names of their own
        assert other.why == "there was none"
    else:
        assert other.why.startswith(f"the one there has {part} ")
    monkeypatch.undo()
    assert not trt_build.plan(source, "fp32", folder=tmp_path).built  # and the first is still found


def test_the_key_follows_the_machine(network, monkeypatch):
    source = trt_build.read(network)
    bare = cache.key(source, "int8", (1, 4, 8), np.zeros((2, 64, 64, 3), np.uint8))
    assert (bare.gpu, len(bare.calibration), bare.profile) == ("none", 64, "1-4-8") or bare.gpu != "none"
    monkeypatch.setattr(nvidia, "gpu", lambda: nvidia.Gpu("NVIDIA H200", "9.0", "13.0", 1))
    monkeypatch.setattr(nvidia, "identity", lambda: ("tensorrt", "11.4.0"))
    there = cache.key(source, "fp32", (1, 4, 8), None)
    assert (there.gpu, there.capability, there.cuda) == ("NVIDIA H200", "9.0", "13.0")
    assert (there.module, there.version, there.calibration) == ("tensorrt", "11.4.0", "")


def spoil_cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def spoil_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def spoil_gone(path):
    path.unlink()


def spoil_card(path):
    path.with_suffix(".json").write_text("{", "utf-8")


def spoil_foreign(path):
    card = path.with_suffix(".json")
    said = json.loads(card.read_text("utf-8"))
    said["key"]["gpu"] = "NVIDIA RTX 4090"
    card.write_text(json.dumps(said), "utf-8")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (spoil_cut, r"cut off: \d+ of \d+ bytes"),
        (spoil_bit, "damaged"),
        (spoil_gone, "the plan is gone"),
        (spoil_card, "its .json cannot be read"),
        (spoil_foreign, "has the key of another plan"),
    ],
)
def test_a_spoiled_plan_is_built_again_and_says_why(network, tmp_path, spoil, why):
    source = trt_build.read(network)
    spoil(trt_build.plan(source, "fp32", folder=tmp_path).path)
    (entry,) = cache.entries(tmp_path)
    assert entry.flaw
    made = trt_build.plan(source, "fp32", folder=tmp_path)
    assert made.built
    assert re.search(why, made.why)
    assert not trt_build.plan(source, "fp32", folder=tmp_path).built


def test_a_plan_that_tensorrt_does_not_take_is_built_again_and_says_why(network, tmp_path):
    source = trt_build.read(network)
    first = trt_build.plan(source, "fp32", folder=tmp_path)
    again = trt_build.plan(source, "fp32", folder=tmp_path, refused="it was made for another GPU")
    assert again.built
    assert (again.path, again.why) == (first.path, "it does not load: it was made for another GPU")


def test_finding_a_plan_reads_no_other(network, tmp_path):
    """Plans are tens of megabytes: each start would read all of them to find one."""
    source = trt_build.read(network)
    wanted = trt_build.plan(source, "fp32", folder=tmp_path)
    other = trt_build.plan(source, "fp32", profile=(1, 2, 2), folder=tmp_path)
    spoil_bit(other.path)
    found, _ = cache.find(tmp_path, source.name, wanted.key)
    assert found.path == wanted.path
    read = []
    with pytest.MonkeyPatch.context() as patch:
        real = Path.read_bytes
        patch.setattr(Path, "read_bytes", lambda path: (read.append(path.name), real(path))[1])
        cache.find(tmp_path, source.name, wanted.key)
        assert read == [wanted.path.name]
        unknown = dataclasses.replace(wanted.key, profile="1-3-3")
        assert cache.find(tmp_path, source.name, unknown)[1].startswith("the one there has profile ")
        assert read == [wanted.path.name]


def test_a_folder_that_cannot_be_written_is_told_before_the_build(network, tmp_path, monkeypatch):
    monkeypatch.setattr(trt_build, "compile", lambda *_a, **_k: pytest.fail("built for nothing"))
    file = tmp_path / "file"
    file.write_text("in the way", "utf-8")
    with pytest.raises(EngineError, match=r"plan cache .*file cannot be written: .*; make room there, or name another"):
        trt_build.plan(trt_build.read(network), "fp32", folder=file)


@pytest.mark.parametrize("suffix", [".plan", ".json"])
@pytest.mark.parametrize("when", ["while it is written", "as it takes its place"])
def test_a_full_disk_leaves_nothing_half_written(network, tmp_path, monkeypatch, suffix, when):
    """Neither a part of a plan, nor a plan without the .json that it is found by."""
    place = tmp_path / "plans"
    real_write, real_replace = files.write, Path.replace

    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    def write(file, data):
        if file.suffix == suffix:
            monkeypatch.setattr(*((os, "fdopen", full) if when.startswith("while") else (Path, "replace", full)))
        real_write(file, data)

    monkeypatch.setattr(files, "write", write)
    with pytest.raises(EngineError, match="No space left on device; make room there, or name another folder"):
        trt_build.plan(trt_build.read(network), "fp32", folder=place)
    monkeypatch.undo()
    assert Path.replace is real_replace
    assert list(place.iterdir()) == []


def test_clear_deletes_plans_and_nothing_else(network, tmp_path):
    trt_build.plan(trt_build.read(network), "fp32", folder=tmp_path)
    (tmp_path / "tensorrt-11.4-Fake.timing").write_bytes(b"x")
    (tmp_path / "holiday.json").write_text("{}", "utf-8")
    assert cache.clear(tmp_path) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["holiday.json", "small.onnx"]


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


def test_bad_sources_are_one_clear_line(tmp_path):
    for content in (b"not a network", b""):
        (tmp_path / "bad.onnx").write_bytes(content)
        with pytest.raises(EngineError, match=rf"bad.onnx is not an ONNX file \(found {len(content)} bytes\)"):
            trt_build.read(tmp_path / "bad.onnx")
    with pytest.raises(EngineError, match=r"gone.onnx is not there; give an ONNX file"):
        trt_build.read(tmp_path / "gone.onnx")
    with pytest.raises(EngineError, match=r"no style 'inkk': .* not one of engraving, ink, wash"):
        shipped.source("inkk")
    (tmp_path / "style.toml").write_text('name = "x"\nonnx = "bad.onnx"\nsha256 = "0"', "utf-8")
    with pytest.raises(EngineError, match=r"its card says 0.*; export the style again"):
        shipped.source(tmp_path)
    with pytest.raises(EngineError, match="no precision is called 'fp8'; choose one of fp32, fp16, int8"):
        trt_build.plan(shipped.source("ink"), "fp8", folder=tmp_path)
    with pytest.raises(EngineError, match="INT8 needs crops to calibrate on"):
        trt_build.plan(shipped.source("ink"), "int8", folder=tmp_path)


def test_a_half_file_that_is_another_is_refused(tmp_path):
    """Only who compiles it asks: the other engines draw such a style."""
    shutil.copytree(styles.FOLDER / "ink", tmp_path / "ink")
    (half,) = (tmp_path / "ink").glob("*.fp16.onnx")
    half.write_bytes(half.read_bytes()[:-1])
    styles.load(str(tmp_path / "ink"))
    with pytest.raises(
        EngineError, match=r"ink.fp16.onnx is not the file its style.toml names \(another sha256\); export"
    ):
        shipped.source(tmp_path / "ink")


def test_plans_are_named_by_their_style(style_folder):
    with pytest.raises(EngineError, match=r"name is 'a/b'; plans are named by it: letters, digits, - and _ alone"):
        shipped.source(style_folder(name="a/b"))
