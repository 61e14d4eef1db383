"""Plans that are kept: what their key follows, what is spoiled or cannot be written. Needs no GPU."""

import dataclasses
import errno
import json
import re
from pathlib import Path

import numpy as np
import pytest
from installed import needs_tensorrt

import trt_build
from engines import EngineError, nvidia
from foundation import files
from trt_build import cache

pytestmark = needs_tensorrt()


CHANGES = {
    "network": "0" * 64, "precision": "fp16", "calibration": "1" * 64, "profile": "1-8-8", "shape": "96x64",
    "module": "tensorrt",
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
            monkeypatch.setattr(*((Path, "open", full) if when.startswith("while") else (Path, "replace", full)))
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
