"""Whole pictures: the network, the cameras that a batch goes through, and the method that learns from pairs."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")

import torch
from torch.nn import functional as F  # noqa: N812 - its name everywhere
from torch.utils.flop_counter import FlopCounterMode

from foundation.errors import UsageError
from train import networks
from train.data import degrade_batch
from train.data.degrade_batch import Dice
from train.methods import picture as method
from train.networks import picture
from train.run import checkpoint
from train.style_folder.deployed import DeployedPlanes
from train.tones import LEFT, stepped


def test_a_net_that_has_learned_nothing_enlarges():
    x = torch.rand(2, 3, 24, 40)
    luma, chroma = networks.build("picture16").eval()(x)
    light = sum(part * x[:, i : i + 1] for i, part in enumerate(picture.LUMA))
    assert torch.allclose(luma, F.interpolate(light, scale_factor=2.0, mode="bilinear"), atol=1e-6)
    assert torch.allclose(chroma, picture.to_planes(F.interpolate(x, scale_factor=2.0))[1], atol=1e-6)


@pytest.mark.parametrize(("name", "limit"), [("picture16", 1.5), ("picture24", 2.6), ("picture32", 4.3)])
def test_cost_of_a_720p_picture(name, limit):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        networks.build(name).eval()(torch.zeros(1, 3, 72, 80))
    assert counter.get_total_flops() / 2e9 * 40 < limit  # billions of multiply-adds, a fifth too many


def test_what_is_far_away_changes_nothing():
    """Tiles of a large picture may be drawn apart from each other."""
    torch.manual_seed(0)
    net = networks.build("picture16").eval()
    torch.nn.init.normal_(net.head.weight)
    x = torch.rand(1, 3, 64, 256)
    whole, part = net(x)[0], net(x[..., :192])[0]
    assert torch.allclose(whole[..., :128], part[..., :128], atol=1e-4)
    assert not torch.allclose(whole[..., 300:384], part[..., 300:384], atol=1e-4)


def test_planes_are_those_of_opencv():
    import cv2

    colours = np.random.default_rng(0).integers(0, 256, (1, 3, 3), np.uint8)
    rgb = colours.repeat(8, 0).repeat(4, 1)
    luma, chroma = picture.to_planes(torch.from_numpy(rgb).permute(2, 0, 1)[None] / 255)
    wanted = cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb)  # BT.601, full range
    assert np.abs(255 * luma[0, 0].numpy() - wanted[..., 0]).max() < 1
    assert np.abs(255 * chroma[0].numpy() + 128 - wanted[::2, ::2, [2, 1]].transpose(2, 0, 1)).max() < 1.1
    assert np.abs(255 * picture.to_rgb(luma, chroma)[0, :, 0, 0].numpy() - colours[0, 0]).max() < 1e-3


def test_each_picture_goes_through_a_camera_of_its_own():
    photos = torch.rand(1, 3, 8, 8).repeat(6, 1, 8, 8)
    dice = [Dice(6, photos.device, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    one, same, other = (degrade_batch.degrade(d, photos, 0.15) for d in dice)
    assert one.shape == (6, 3, 32, 32)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert len({float(p.mean()) for p in one}) == 6
    assert 0 <= float(one.min()) <= float(one.max()) <= 1
    assert torch.allclose(255 * one, (255 * one).round(), atol=1e-3)


def test_compression_rounds_cosines_of_8x8_blocks():
    x = torch.rand(1, 1, 16, 16)
    fine, rough = (degrade_batch._rounded(x, torch.full((8, 8), step)) for step in (1e-6, 100.0))
    assert torch.allclose(fine, x, atol=1e-4)
    assert float(rough.abs().max()) == 0


@pytest.mark.parametrize("moved", [(3, -5), (-4, 2), (0, 0)])
def test_two_looks_at_the_same_are_not_apart(moved):
    big = torch.rand(1, 1, 40, 40)
    y, x = 10, 10
    first, second = big[..., y : y + 20, x : x + 20], big[..., y + moved[0] :, x + moved[1] :][..., :20, :20]
    assert float(method.apart(torch.cat([first, second]), moved)) == 0
    assert float(method.apart(torch.cat([first, second]), (moved[0] + 1, moved[1]))) > 0.1


def test_what_is_a_little_beyond_black_and_white_is_reached():
    luma, target = torch.tensor([-0.05, 0.3, 1.04, -0.05, 1.4, -3]), torch.tensor([0.01, 0.01, 1.0, 0.5, 0.0, 0])
    assert torch.allclose(method.reached(luma, target), torch.tensor([-0.05, 0.01, 1.04, 0.5, 0.0, -method.BEYOND]))


def test_a_missing_stroke_costs_more_than_one_too_many(tmp_path):
    args = method.Args(tmp_path, out=tmp_path, bold=2, edges=0, similar=0, tone=0, colour=0)
    grey, none = torch.full((1, 1, 8, 8), 0.5), torch.zeros(1, 2, 4, 4)
    light, dark = (float(method.losses((grey + by, none), (grey, none), args)["pixel"]) for by in (0.1, -0.1))
    assert (light, dark) == pytest.approx((0.28 / 3, 0.14 / 3))  # 0.1, less half of SMALL


def test_few_tones():
    luma = torch.linspace(0, 1, 601, dtype=torch.float64).requires_grad_()
    drawn = stepped(luma, 7)
    drawn.sum().backward()
    assert torch.allclose(drawn[::50], luma[::50])  # the tones themselves, and what is half way between two
    assert (luma.grad > 0).all()
    assert luma.grad[100] == pytest.approx(LEFT)
    assert float((drawn - luma).detach().abs().max()) < 1 / 12
    assert torch.allclose(stepped(255 * luma, 7, 255), 255 * drawn)
    assert stepped(luma, 0) is luma


def test_a_net_of_few_tones_draws_in_them(args):
    run = method.begin(replace(args, tones=2))
    seen = torch.rand(1, 3, 32, 32)
    assert torch.equal(run.draw(run.net, seen)[0], stepped(run.net(seen)[0], 2))
    planes = DeployedPlanes(run.net, tones=2)(torch.full((1, 16, 16, 3), 60, dtype=torch.uint8))
    assert int(planes[0, 8, 8]) == round(LEFT * 60)


@pytest.fixture
def args(tmp_path, monkeypatch):
    """Learns to invert soft pictures of bars."""
    rng, pairs = np.random.default_rng(0), []
    for h, w in ((80, 96), (40, 112), (112, 80), (96, 96)):
        photo = rng.integers(0, 256, (h // 8, w // 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
        pairs.append((photo, 255 - photo))
    monkeypatch.setattr(method.picture_pairs, "load", lambda _, split: pairs if split == "train" else pairs[1:3])
    return method.Args(
        tmp_path, out=tmp_path / "run", net="picture16", steps=12, batch=2, crop=64, every=6, warmup=3, ema=0.8,
        threads=1,
    )  # fmt: skip


def test_a_few_steps_lower_the_loss(args):
    run = method.train(replace(args, lr=5e-3, light=0.3))
    assert run.history[-1]["total"] < 0.9 * run.history[0]["total"]
    names = sorted(p.name for p in args.out.iterdir())
    assert names == ["best.safetensors", "checkpoint.pt", "history.json", "report.html", "sheets"]
    state = checkpoint.load(args.out / "best.safetensors")
    assert state["args"]["method"] == "picture"
    networks.build(state["args"]["net"]).load_state_dict(state["ema"])


def test_resumed_equals_uninterrupted(args, tmp_path):
    whole = method.train(replace(args, steps=4, every=2))
    update = method.Run.update

    def stop(self, batch):
        if self.step == 3:
            raise KeyboardInterrupt
        return update(self, batch)

    half = replace(args, out=tmp_path / "half", steps=4, every=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(method.Run, "update", stop)
        with pytest.raises(KeyboardInterrupt):
            method.train(half)
    resumed = method.train(replace(half, resume=True))
    for name, weight in whole.average.state_dict().items():
        assert torch.equal(weight, resumed.average.state_dict()[name]), name


def test_a_net_that_begins_with_weights_keeps_its_statistics(args, tmp_path):
    """Also when the run is gone on with, though the file it began with may be gone."""
    first = method.train(replace(args, steps=2, every=2))
    more = replace(args, out=tmp_path / "more", init=args.out / "best.safetensors", steps=2, every=2)
    method.train(more)
    (args.out / "best.safetensors").unlink()
    run = method.train(replace(more, init=None, resume=True, steps=3))
    began, now = first.average.state_dict(), run.net.state_dict()
    statistics = [name for name in began if name.endswith("running_mean")]
    assert all(torch.equal(began[name], now[name]) for name in statistics)
    assert not torch.equal(began["head.weight"], now["head.weight"])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"net": "munet24"}, "choose from picture24"), ({"crop": 100}, "multiple of 32"), ({"batch": 0}, "above 0")],
)
def test_arguments_that_cannot_work(args, wrong, said):
    with pytest.raises(UsageError, match=said):
        method.begin(replace(args, **wrong))


@pytest.fixture(scope="module")
def state():
    """A checkpoint of a small net that draws something, with BatchNorm that has seen something."""
    torch.manual_seed(0)
    net = networks.build("picture16")
    torch.nn.init.normal_(net.head.weight, 0, 0.01)
    net.train()(torch.rand(2, 3, 64, 64))
    return {"ema": net.state_dict(), "args": {"net": "picture16", "method": "picture"}}


def test_export_agrees_with_torch_at_any_size(state, tmp_path, portrait):
    pytest.importorskip("onnx")
    from streamtoon import style_folder
    from train.run import sample_sheet
    from train.style_folder import export, onnx_file

    checkpoint.save(tmp_path / "c.pt", state)
    sample_sheet.write_png(tmp_path / "photo.png", portrait)
    parity = export.export(
        export.Args(tmp_path / "c.pt", tmp_path / "lines", lines=360, region="person", background="paper", force=True,
                    photo=tmp_path / "photo.png", fp16=False, size=64)
    )  # fmt: skip
    assert parity["fp32"] >= 55
    assert parity["fp16"] >= 45
    style = style_folder.load(str(tmp_path / "lines"))
    assert (style.whole_picture, style.scale, style.lines, style.region) == (True, 2, 360, "person")
    assert (style.background, style.matte) == ("paper", "model")
    assert (tmp_path / "lines" / "preview.webp").stat().st_size < 100_000
    data, deployed = style.onnx.read_bytes(), export.deploy(state, export.Args(tmp_path, tmp_path))
    assert len(data) < 450_000
    for shape in ((1, 64, 96), (2, 72, 40)):
        pictures = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
        drawn = onnx_file.run_onnx(data, pictures)
        assert np.abs(drawn - deployed(torch.from_numpy(pictures)).numpy().astype(int)).max() <= 1


def test_what_is_deployed_draws_what_was_learned(state):
    import cv2

    from train.style_folder.deployed import DeployedPlanes, rgb_of

    net = networks.build("picture16").eval()
    net.load_state_dict(state["ema"])
    pictures = torch.randint(0, 256, (1, 16, 24, 3), dtype=torch.uint8)
    drawn = DeployedPlanes(net)(pictures).numpy()
    luma, chroma = net(pictures.permute(0, 3, 1, 2) / 255)
    assert drawn.shape == (1, 48, 48)
    assert np.abs(drawn[0, :32] - 255 * luma[0, 0].detach().clamp(0, 1).numpy()).max() < 1.5
    u = drawn[0, 32:40].reshape(16, 24)
    assert np.abs(u.astype(int) - 128 - 255 * chroma[0, 0].detach().clamp(-0.5, 0.5).numpy()).max() < 1.5
    grey = DeployedPlanes(net, grey=True)(pictures).numpy()
    assert (grey[0, 32:] == 128).all()
    assert np.array_equal(grey[0, :32], drawn[0, :32])
    flat = np.full((1, 48, 48), 90, np.uint8)
    flat[0, :32], flat[0, 40:] = 120, 170  # y, u, v of one colour
    wanted = cv2.cvtColor(np.array([[[120, 170, 90]]], np.uint8), cv2.COLOR_YCrCb2RGB)
    assert np.abs(rgb_of(flat)[0] - wanted.astype(int)).max() <= 1
