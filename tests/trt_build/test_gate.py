"""The parity gate and its command line, with the engines of this machine and with scripted ones."""

import hashlib
import json
import subprocess
import sys

import installed
import numpy as np
import pytest
import shipped
from PIL import Image

import engines
from engines import EngineError
from trt_build import check, crops, precision
from trt_build.resnet9 import resnet9


@pytest.fixture(scope="module")
def results():
    """Every engine here, on a quarter of the sixty-four crops, timed briefly."""
    told = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(check, "TIMED_CALLS", 1)
        patch.setattr(check, "WARM_UP_CALLS", 0)
        found = check.check(
            shipped.source("ink"),
            shipped.crops(256)[::4],
            photo=shipped.PHOTO,
            progress=lambda *what: told.append(what),
        )
    assert [name for name, _ in told] == ["the reference", *(f"{r.engine} {_asked(r)}" for r in found)]
    assert [share for _, share in told] == sorted({share for _, share in told})
    return found


def _asked(result):
    return "own" if result.engine == "openvino" else result.precision


def test_engines_that_run_here_pass_or_tell_why_not(results):
    ran = {(r.engine, r.precision): r for r in results if r.psnr_db is not None}
    assert {("onnxruntime:cpu", kind) for kind in precision.KINDS} <= set(ran)
    assert ("openvino:f32", "fp32") in ran
    for r in results:
        assert (r.psnr_db is None) == (not r.ms)
        assert r.ok or r.why
        if r.psnr_db is not None:
            assert r.psnr_db >= precision.NEED[r.precision]
            assert r.ok
            assert set(r.ms) == set(r.ms_p95) == {"1", "4", "8"}
            assert all(0 < r.ms[n] <= r.ms_p95[n] for n in r.ms)
    assert check.refused(results) == []


def test_a_table_names_every_engine(results):
    table = check.as_table(results)
    assert len(table.splitlines()) == len(results) + 1
    assert all(name in table for name in ("tensorrt", "onnxruntime:gpu", "openvino", "torch"))


class Scripted:
    """Draws nothing but grey, or raises."""

    name, device = "scripted", "nowhere"

    def __init__(self, fault=""):
        self.fault, self.closed = fault, False

    def __call__(self, batch):
        if self.fault == "flat":
            return np.zeros((len(batch), 4), np.uint8)
        if self.fault:
            raise EngineError(self.fault)
        return np.full((*batch.shape[:3], 4), 128, np.uint8)

    def close(self):
        self.closed = True


@pytest.mark.parametrize(("fault", "psnr"), [("", True), ("out of GPU memory", False), ("flat", False)])
def test_a_failing_engine_is_refused(monkeypatch, fault, psnr):
    source, pictures, engine = shipped.source("ink"), shipped.crops(256)[:2], Scripted(fault)
    real = engines.load

    def load(name, *args, **kwargs):
        return engine if name == "tensorrt" else real(name, *args, **kwargs)

    monkeypatch.setattr(engines, "load", load)
    monkeypatch.setattr(check, "_all", lambda *_: iter([("tensorrt", "fp16", lambda: load("tensorrt"))]))
    (found,) = check.check(source, pictures)
    assert not found.ok
    assert engine.closed
    assert (found.psnr_db is not None) == psnr
    assert {"": "45 are needed", "flat": "it gave uint8 (2, 4)"}.get(fault, f"it cannot draw: {fault}") in found.why
    assert check.refused([found]) == [found]
    assert "REFUSED" in check.as_table([found])


def test_a_blot_that_the_mean_hides_is_refused(monkeypatch):
    """What NaN leaves: 16 px of one crop are black, everything else is right to the bit."""
    monkeypatch.setattr(check, "TIMED_CALLS", 1)
    monkeypatch.setattr(check, "_reference", lambda _source, some, _threads: Scripted()(some))
    pictures = shipped.crops(256)

    class Blotted(Scripted):
        def __call__(self, batch):
            drawn = super().__call__(batch)
            if np.array_equal(batch[0], pictures[8]):
                drawn[3, 32:48, 32:48] = 0
            return drawn

    for kind, need in (("int8", 38), ("fp16", 45)):
        monkeypatch.setattr(check, "_all", lambda *_, k=kind: iter([("tensorrt", k, Blotted), ("echo", k, Scripted)]))
        blotted, clean = check.check(shipped.source("ink"), pictures)
        assert blotted.psnr_db > 45 >= need  # the mean alone would let it pass
        assert "with a blot: 16 px that are 128 levels off" in blotted.why
        assert check.refused([blotted, clean]) == [blotted]


def test_crops_are_the_same_every_time_and_not_those_of_calibration():
    first, again, others = shipped.crops(256), shipped.crops(256), shipped.crops(256, crops.CALIBRATION_SEED)
    assert first.shape == (64, 256, 256, 3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, others)
    assert first.mean(axis=(1, 2, 3)).std() > 15  # in many lights


def test_crops_of_ones_own(tmp_path):
    pictures = shipped.crops(64)[:3]
    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / f"{i}.png")
    assert np.array_equal(crops.read(tmp_path, 64), pictures)
    np.savez(tmp_path / "three.npz", pictures)
    assert np.array_equal(crops.read(tmp_path / "three.npz", 64), pictures)
    with pytest.raises(EngineError, match=r"holds uint8 \(3, 64, 64, 3\); crops are uint8 \(N, 256, 256, 3\)"):
        crops.read(tmp_path / "three.npz", 256)
    for wrong in ("nothing", "three.npz/x"):
        with pytest.raises(EngineError, match="is no folder of crops"):
            crops.read(tmp_path / wrong, 64)


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=300
    )


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["inkk"], "no style 'inkk'"),
        (["ink", "--crops", "nowhere"], "nowhere is no folder of crops"),
        (["check", "inkk"], "no style 'inkk'"),
    ],
)
def test_a_bad_call_is_one_line(arguments, line):
    done = run("streamtoon.cli.trt_build", *arguments)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert line in done.stderr


@pytest.mark.parametrize("arguments", [[], ["check"], ["check", "ink", "wash"], ["ink", "--precision", "fp8"]])
def test_asked_wrongly_is_told_as_such(arguments):
    done = run("streamtoon.cli.trt_build", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: trt_build [check] STYLE")


def test_trt_build_alone_takes_onnx_files(tmp_path):
    """``python -m trt_build`` has neither styles nor a portrait: it says so, and builds what needs neither."""
    installed.skip_without_tensorrt()
    file = tmp_path / "small.onnx"
    file.write_bytes(resnet9(64, width=8, blocks=1))
    for arguments, line in (
        (["ink"], "error: ink is not there; give an ONNX file"),
        ([file, "--precision", "int8", "--cache", tmp_path], "error: INT8 needs crops to calibrate on"),
        (["check", file], "error: there are no crops to check on; give some with --crops"),
    ):
        done = run("trt_build", *arguments)
        assert (done.returncode, done.stderr) == (1, f"{line}\n")
    done = run("trt_build", file, "--precision", "fp32", "--cache", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "compiled in" in done.stdout


def test_both_command_lines_share_the_cache(tmp_path):
    installed.skip_without_tensorrt()
    first = run("streamtoon.cli.trt_build", "ink", "--precision", "fp16", "--cache", tmp_path)
    assert first.returncode == 0, first.stderr
    assert "compiled in" in first.stdout
    assert first.stderr == ""
    second = json.loads(run("streamtoon", "engine", "build", "ink", "--cache", tmp_path, "--json").stdout)
    assert not second["built"]
    listed = json.loads(run("streamtoon", "engine", "list", "--cache", tmp_path, "--json").stdout)
    assert [e["engine"] for e in listed["engines"]] == list(engines.names())
    assert [p["plan"] for p in listed["plans"]] == [second["plan"]]
    assert listed["plans"][0]["flaw"] == ""
    cleared = run("streamtoon", "engine", "clear", "--cache", tmp_path)
    assert "1 plans deleted" in cleared.stdout
    assert list(tmp_path.iterdir()) == []


def test_engine_check_prints_what_the_gate_found(tmp_path):
    (tmp_path / "small.onnx").write_bytes(resnet9(64, width=8, blocks=1))
    sha256 = hashlib.sha256((tmp_path / "small.onnx").read_bytes()).hexdigest()
    card = f'name = "small"\nonnx = "small.onnx"\nsha256 = "{sha256}"\nsize = 64\n'
    (tmp_path / "style.toml").write_text(card, "utf-8")
    done = run("streamtoon", "engine", "check", tmp_path, "--json", "--cache", tmp_path)
    said = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert {"engine", "device", "precision", "psnr_db", "ms", "ok"} <= set(said["engines"][0])
    assert any(e["ok"] and set(e["ms"]) == {"1", "4", "8"} for e in said["engines"])
