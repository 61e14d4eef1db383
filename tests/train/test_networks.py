import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("pytorch_msssim")

import torch
from torch.utils.flop_counter import FlopCounterMode

from foundation.errors import UsageError
from streamtoon import style_folder
from train import networks
from train.networks import munet
from train.run import checkpoint
from train.style_folder import deployed, export


def untrained(size):
    """A checkpoint of a small untrained net whose BatchNorm has seen something."""
    torch.manual_seed(0)
    net = networks.build("munet16", size)
    net.train()(torch.randn(2, 3, size, size))
    return {"ema": net.state_dict(), "args": {"net": "munet16", "hatch": True}}


@pytest.fixture(scope="module")
def state():
    return untrained(256)


@pytest.mark.parametrize(("name", "limit"), [("munet16", 0.4), ("munet24", 0.77), ("munet32", 1.3)])
def test_shapes_and_cost(name, limit):
    net = networks.build(name).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.zeros(1, 3, 256, 256))
    assert counter.get_total_flops() / 2e9 < limit  # billions of multiply-adds for one crop
    with torch.no_grad():
        assert net(torch.zeros(2, 3, 256, 256)).shape == (2, 2, 256, 256)
    assert all(m.out_channels % 8 == 0 for m in net.modules() if isinstance(m, torch.nn.Conv2d))


def test_folding_changes_nothing(state):
    net = networks.build("munet16").eval()
    net.load_state_dict(state["ema"])
    folded = deployed.fold(networks.build("munet16").eval())
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())
    source = networks.build("munet16").eval()
    source.load_state_dict(state["ema"])
    x = torch.rand(1, 3, 256, 256) * 2 - 1
    with torch.no_grad():
        assert torch.allclose(deployed.fold(source)(x), net(x), atol=1e-3)


@pytest.mark.parametrize("value", [0, 90, 255])
def test_no_checkerboard_at_the_start(value):
    torch.manual_seed(1)
    net = networks.build("munet16", hatch=False).eval()
    with torch.no_grad():
        flat = munet.drawing(net(torch.full((1, 3, 256, 256), value / 127.5 - 1)))[0, 0, 64:192, 64:192].numpy()
    assert nyquist(flat) < 1e-3


def nyquist(picture):
    """Share of a picture's energy, mean aside, at the highest frequencies: what a checkerboard is made of."""
    power = np.abs(np.fft.fft2(picture - picture.mean())) ** 2
    half = picture.shape[0] // 2
    return float((power[half].sum() + power[:, half].sum()) / picture.size**2)


def test_export_agrees_with_torch_and_keeps_the_contract(state, tmp_path):
    title = 'the "dash"\\ \n # one = [1]'
    checkpoint.save(tmp_path / "c.pt", state)
    parity = export.export(export.Args(tmp_path / "c.pt", tmp_path / "dash", title=title, force=True))
    assert parity["fp32"] >= 55
    assert parity["fp16"] >= 45
    style = style_folder.load(str(tmp_path / "dash"))
    assert (style.name, style.title, style.onnx.name) == ("dash", title, "dash.onnx")
    assert (style.matte, style.size, style.margin) == ("model", 256, 2.5)
    data = (tmp_path / "dash" / "dash.onnx").read_bytes()
    for count in (1, 3):
        drawn = export.run_onnx(data, export.trial(256, count))
        assert drawn.shape == (count, 256, 256, 4)
        assert drawn.dtype == np.uint8
        assert np.array_equal(drawn[..., 0], drawn[..., 2])
    assert len(data) < 450_000


def test_a_name_is_the_name_of_a_file(state, tmp_path):
    checkpoint.save(tmp_path / "c.pt", state)
    with pytest.raises(UsageError, match="it names the files in the folder"):
        export.export(export.Args(tmp_path / "c.pt", tmp_path / "dash", name="../dash"))
    assert not (tmp_path / "dash").exists()


def test_a_graph_that_differs_is_refused(tmp_path, monkeypatch):
    checkpoint.save(tmp_path / "c.pt", untrained(64))
    monkeypatch.setattr(export, "run_onnx", lambda _, crops: np.zeros((*crops.shape[:3], 4), np.uint8))
    with pytest.raises(UsageError, match="dB from torch"):
        export.export(export.Args(tmp_path / "c.pt", tmp_path / "dash", size=64))
    assert not (tmp_path / "dash").exists()


def test_the_matte_saturates():
    logits = torch.full((1, 2, 8, 8), -4.0)
    assert float((munet.matte(logits) * 255).round().clamp(0, 255).max()) == 0
    assert float((munet.matte(-logits) * 255).round().clamp(0, 255).min()) == 255
    assert float((munet.drawing(-logits) * 255).round().clamp(0, 255).min()) == 255
