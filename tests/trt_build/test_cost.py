"""What is counted, by hand; and the network that measures a card's matrix rate is one TensorRT builds."""

import pytest
import shipped

import trt_build
from engines import EngineError, nvidia
from trt_build import cost, precision
from trt_build.munet import munet
from trt_build.resnet9 import resnet9
from trt_build.source import Source


def test_the_cyclegan_is_counted_as_its_paper_has_it(tmp_path):
    file = tmp_path / "resnet9.onnx"
    file.write_bytes(resnet9(64))
    found = cost.cost(file, (64, 64))
    by_hand = 64 * 64 * (3 * 64 * 49 + 64 * 3 * 49 + 3 * 4)  # the two ends at full size, and alpha
    by_hand += 32 * 32 * 9 * 64 * 128 * 2 + 16 * 16 * 9 * 128 * 256 * 2  # down and up again
    by_hand += 16 * 16 * 9 * 256 * 256 * 18
    assert found.flop == 2 * by_hand
    assert found.weights == pytest.approx(11.4e6, rel=0.01)


def test_the_shipped_styles_cost_what_their_cards_say():
    gigamacs = {name: cost.cost(shipped.source(name).onnx, (256, 256)).flop / 2e9 for name in ("engraving", "wash")}
    assert gigamacs["engraving"] == pytest.approx(0.66 + 0.028, abs=0.006)  # its last layer gives RGBA
    assert gigamacs["wash"] == pytest.approx(0.63 + 0.028, abs=0.006)


def test_the_compact_network_costs_what_the_style_of_its_width_does(tmp_path):
    costs = []
    for width in (24, 32):
        (tmp_path / "munet.onnx").write_bytes(munet(width))
        costs.append(cost.cost(tmp_path / "munet.onnx", (256, 256)))
    assert costs[0] == cost.cost(shipped.source("engraving").onnx, (256, 256))
    assert costs[1].flop > 1.6 * costs[0].flop


def test_a_floor_is_the_larger_of_arithmetic_and_memory():
    rates = cost.Rates({"fp32": 1e12, "fp16": 2e12}, 1e9)
    assert cost.Cost(10**12, 10, 0).floor(2, "fp32", rates) == pytest.approx(2.0)
    assert cost.Cost(10**12, 10, 0).floor(2, "fp16", rates) == pytest.approx(1.0)
    assert cost.Cost(1, 10**9, 10**9).floor(1, "fp16", rates) == pytest.approx(4.0)


def test_the_network_of_matrix_products_is_built(tmp_path):
    """As ``rates`` does it, on fewer channels. In half it must draw the same, or no card's rate would be measured."""
    try:
        nvidia.identity()
    except EngineError as error:
        pytest.skip(str(error))
    _, layers, side = cost.MATRIX
    file = tmp_path / "matrix.onnx"
    file.write_bytes(cost._matrices(512, layers, side))
    pictures = shipped.crops(side)[:2]
    half = precision.half(file, pictures)
    assert (
        precision.near(half, precision._drawn(file, pictures), pictures) > 55
    )  # 45 are asked for; drawn in full range
    for kind in ("fp32", "fp16"):
        made = trt_build.plan(
            Source("matrix", file, None, side), kind, profile=(2, 2, 2), folder=tmp_path, photo=shipped.PHOTO
        )
        assert made.path.stat().st_size > 10e6


def test_rates_need_a_gpu():
    try:
        nvidia.gpu()
    except EngineError:
        with pytest.raises(EngineError):
            cost.rates(shipped.PHOTO)
        return
    found = cost.rates(shipped.PHOTO)
    assert found.flop["fp16"] > found.flop["fp32"] > 0
    assert found.memory > 0
