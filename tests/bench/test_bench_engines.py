"""bench engines, measured briefly: on this machine, and on a card made of host memory (engines/fake_cuda.py)."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest

import trt_build
from engines import EngineError, nvidia
from streamtoon.bench import engines
from trt_build import cost
from trt_build.resnet9 import resnet9

sys.path.insert(0, str(Path(__file__).parent.parent / "engines"))
import fake_cuda

SIZE = 16


@pytest.fixture(autouse=True)
def _brief(monkeypatch):
    monkeypatch.setattr(engines, "LEAST_SECONDS", 0.01)
    monkeypatch.setattr(engines, "LEAST_CALLS", 2)


@pytest.fixture
def card(monkeypatch, tmp_path):
    """A scripted card and data-centre TensorRT; its networks are tiny, its plans no plans. Gives its CUDA."""
    cuda = fake_cuda.Cuda()
    trt = fake_cuda.Trt(cuda, most=512, size=SIZE)
    monkeypatch.setattr(nvidia, "runtime", lambda: cuda)
    monkeypatch.setattr(nvidia, "library", lambda: nvidia.Library(trt, "tensorrt", "11.4"))
    monkeypatch.setattr(cost, "rates", lambda _photo: cost.Rates({"fp32": 1e12, "fp16": 2e12}, 1e12))
    monkeypatch.setattr(engines, "MADE", {"resnet9": lambda: resnet9(SIZE, width=8, blocks=1)})
    cuda.profiles = []

    def plan(source, kind, *, shape, profile, photo, refused):
        assert shape is None
        cuda.profiles.append((source.name, kind, profile or trt_build.PROFILE))
        (tmp_path / "small.plan").write_bytes(b"plan")
        return SimpleNamespace(path=tmp_path / "small.plan")

    monkeypatch.setattr(trt_build, "plan", plan)
    return cuda


@pytest.fixture
def small(tmp_path):
    """The file of a small network."""
    (tmp_path / "small.onnx").write_bytes(resnet9(SIZE, width=8, blocks=1, seed=1))
    return str(tmp_path / "small.onnx")


def test_engines_here_are_measured_and_the_others_are_told(small, caplog):
    caplog.set_level("INFO", engines.__name__)
    result = engines.bench_engines(small, [], 1)
    assert "small, openvino, its own, 8 crops, 1 at a time" in caplog.messages
    rows = {(r.engine, r.batch): r for r in result.rows}
    assert [b for e, b in rows if e == "openvino"] == [1, 2, 4, 8]
    assert all(0 < r.ms <= r.ms_p95 and r.crops_per_second > 0 for r in result.rows)
    if not result.gpu:
        assert "tensorrt" in result.not_here
        assert all(r.floor_ratio is None for r in result.rows)
    assert json.loads(json.dumps(asdict(result)))["rows"]
    assert len(result.as_table().splitlines()) >= 2 + len(result.rows)


def test_a_network_for_whole_pictures_is_measured(picture_style, monkeypatch):
    monkeypatch.setattr("trt_build.source.PICTURE", (64, 96))
    result = engines.bench_engines(str(picture_style.folder), [], 1)
    rows = {(r.engine, r.batch): r for r in result.rows}
    assert [b for e, b in rows if e == "openvino"] == [1, 2, 4, 8]
    assert rows["openvino", 1].network == "fake"


def test_a_card_is_measured_in_every_batch_and_precision(card, small, caplog):
    caplog.set_level("INFO", engines.__name__)
    result = engines.bench_engines(small, [], 1)
    rows = [r for r in result.rows if r.engine == "tensorrt"]
    batches = [1, 2, 4, 8, 16, 32, 64, 256, 512]
    assert [r.batch for r in rows if (r.network, r.precision) == ("small", "fp16")] == batches
    kinds = [("small", "fp16"), ("small", "fp32"), ("small", "int8"), ("resnet9", "fp16"), ("resnet9", "fp32")]
    assert list(dict.fromkeys((r.network, r.precision) for r in rows)) == kinds
    assert all(r.together > 0 for r in rows)
    assert all((r.floor_ratio is None) == (r.matrix is None) == (r.precision == "int8") for r in rows)
    one = next(r for r in rows if (r.network, r.precision, r.batch) == ("small", "fp16", 64))
    counted = cost.cost(Path(small), (SIZE, SIZE))
    floor = counted.floor(64, "fp16", cost.Rates({"fp16": 2e12}, 1e12))
    assert one.floor_ratio == pytest.approx(one.ms / 1000 / floor, rel=0.05)
    assert one.matrix == pytest.approx(counted.flop * max(one.crops_per_second, one.together) / 2e12, abs=0.001)
    assert {p for _, _, p in card.profiles} == {(1, 4, 8), (16, 64, 512)}  # the plan that live uses, and a large one
    assert result.gpu.startswith("Fake GPU, compute capability 8.9")
    assert result.matrix_tflops == {"fp32": 1.0, "fp16": 2.0}
    assert one.as_line() in caplog.messages
    assert one.as_line() in result.as_table()
    assert card.blocks == {}


@pytest.mark.parametrize(
    ("lanes", "largest"),
    [(1.5, 512), (0.5, 64)],  # one caller alone with the large plan; two with the plan of less
)
def test_what_does_not_fit_the_cards_memory_is_measured_smaller(card, small, lanes, largest):
    card.room = int(lanes * 2 * 512 * SIZE * SIZE * 7) + 1000
    real = fake_cuda.Trt.Runtime

    def runtime(trt, log):  # a plan for fewer crops has a smaller profile
        trt.most = card.profiles[-1][2][-1]
        return real(trt, log)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fake_cuda.Trt, "Runtime", runtime)
        result = engines.bench_engines(small, [], 1)
    rows = [r for r in result.rows if (r.network, r.engine, r.precision) == ("small", "tensorrt", "fp16")]
    assert rows[-1].batch == largest
    assert (rows[-1].together is None) == (largest == 512)
    assert "out of GPU memory" in result.not_here["small, tensorrt, fp16, 512 crops, 2 at a time"]
    assert card.blocks == {}


def test_a_card_whose_rates_cannot_be_measured_is_measured_all_the_same(card, small, monkeypatch):
    def none(_photo):
        raise EngineError("it is too warm")

    monkeypatch.setattr(cost, "rates", none)
    result = engines.bench_engines(small, [], 1)
    assert result.not_here["the card's floor"] == "it is too warm"
    assert any(r.engine == "tensorrt" and r.floor_ratio is None for r in result.rows)
