import signal
import tomllib
from dataclasses import replace

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")

import torch

from foundation.errors import UsageError
from train import __main__ as program
from train import networks
from train.data import pictures
from train.evaluation import features
from train.methods import cyclegan
from train.networks.discriminator import Patch, Pool, same_change
from train.networks.reference import ResNet9, UNet
from train.run import checkpoint
from train.style_folder import export


@pytest.fixture
def args(folders, tmp_path):
    return cyclegan.Args(
        folders / "photos", folders / "drawings", out=tmp_path / "run", size=64, net="munet16", epochs=2, batch=4,
        every=3, ema=0.8, pool=3, threads=1,
    )  # fmt: skip


@pytest.mark.parametrize(("layers", "reach"), [(1, 16), (2, 34), (3, 70)])
def test_patches_are_as_wide_as_they_say(layers, reach):
    judge = Patch(3, 8, layers, spectral=True).eval()
    picture = torch.randn(1, 3, 128, 128, requires_grad=True)
    realness = judge(picture)
    realness[0, 0, realness.shape[2] // 2, realness.shape[3] // 2].backward()
    rows = picture.grad.abs().sum(dim=(0, 1, 3)).nonzero()
    assert int(rows.max() - rows.min()) + 1 == reach


def test_real_and_fake_get_the_same_change():
    torch.manual_seed(0)
    pictures = torch.rand(4, 3, 32, 32) * 2 - 1
    change = same_change(4, torch.device("cpu"))
    assert torch.equal(change(pictures), change(pictures))
    assert not torch.equal(change(pictures)[0], pictures[0])
    other = same_change(4, torch.device("cpu"))
    assert not torch.equal(change(pictures), other(pictures))
    leaf = pictures.clone().requires_grad_(True)
    change(leaf).sum().backward()
    assert (leaf.grad != 0).float().mean() > 0.5


def test_the_pool_gives_old_fakes_back():
    torch.manual_seed(0)
    pool, seen = Pool(4), set()
    for n in range(40):
        got = float(pool(torch.full((1, 1, 1, 1), float(n)))[0])
        seen.add(got != n)
        assert got <= n
    assert seen == {True, False}
    assert len(pool.pictures) == 4
    assert Pool(0)(torch.ones(2, 1)).tolist() == [[1.0], [1.0]]


def test_presets_are_the_papers_and_can_be_overridden(args):
    paper = cyclegan.settle(replace(args, preset="paper", net=None, batch=None, epochs=None, lr=1e-3))
    assert (paper.net, paper.width, paper.layers, paper.batch, paper.epochs) == ("resnet9", 64, 3, 1, 200)
    assert (paper.cycle, paper.cycle_end, paper.identity, paper.noise, paper.lr) == (10, 10, 0.5, 0, 1e-3)
    assert sum(p.numel() for p in networks.build("resnet9", heads=3).parameters()) == pytest.approx(11.4e6, rel=0.01)


def test_resumed_equals_uninterrupted_to_the_bit(args, tmp_path):
    whole = cyclegan.train(args)
    half = replace(args, out=tmp_path / "half")
    update = cyclegan.Run.update

    def stop(self, batch):
        if self.step == 3:
            # called, not sent: after tests/engines a signal that is sent crashes this process on its arrival
            signal.getsignal(signal.SIGTERM)(signal.SIGTERM, None)
        return update(self, batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cyclegan.Run, "update", stop)
        with pytest.raises(KeyboardInterrupt, match="stopped at step 4"):
            cyclegan.train(half)
    cyclegan.train(replace(half, resume=True))
    ours, theirs = (checkpoint.load(a.out / "checkpoint.pt") for a in (half, args))
    for part in whole.parts:
        for a, b in zip(leaves(ours[part]), leaves(theirs[part]), strict=True):
            assert torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b, part
    minutes = [[{k: v for k, v in row.items() if k != "minutes"} for row in s["history"]] for s in (ours, theirs)]
    assert minutes[0] == minutes[1]


def leaves(tree):
    if isinstance(tree, dict):
        return [x for v in tree.values() for x in leaves(v)]
    return [x for v in tree for x in leaves(v)] if isinstance(tree, list | tuple) else [tree]


@pytest.mark.parametrize("direction", ["to-drawing", "to-photo"])
def test_both_directions_are_exported(args, tmp_path, direction):
    cyclegan.train(args)
    for file in ("checkpoint.pt", "best.safetensors"):
        folder = tmp_path / direction
        parity = export.export(export.Args(args.out / file, folder, direction=direction, force=True))
        assert parity["fp32"] >= 55
        card = tomllib.loads((folder / "style.toml").read_text())
        assert (card["size"], card["matte"]) == (64, "model")
        drawn = export.run_onnx((folder / f"{direction}.onnx").read_bytes(), export.trial(64, 3))
        assert drawn.shape == (3, 64, 64, 4)
        assert (drawn[..., 3] == 255).all()


@pytest.mark.parametrize("net", ["resnet9", "unet", "encdec"])
def test_the_papers_nets_train_and_deploy(args, net, tmp_path, monkeypatch):
    monkeypatch.setattr(networks, "ResNet9", lambda: ResNet9(8, 2))
    monkeypatch.setattr(networks, "UNet", lambda *, skips: UNet(8, skips=skips))
    run = cyclegan.train(replace(args, preset="paper", net=net, epochs=1, batch=8, width=8, every=2))
    assert run.step == 2
    parity = export.export(export.Args(args.out / "checkpoint.pt", tmp_path / "style", force=True))
    assert parity["fp32"] >= 55


def test_a_network_that_draws_all_alike_is_not_exported(args, tmp_path, monkeypatch):
    monkeypatch.setattr(networks, "UNet", lambda *, skips: UNet(8, skips=skips))
    cyclegan.train(replace(args, net="encdec", epochs=1, batch=8, every=2))
    with pytest.raises(UsageError, match=r"the drawings show collapse .* then give --force"):
        export.export(export.Args(args.out / "checkpoint.pt", tmp_path / "style"))
    assert not (tmp_path / "style").exists()


def test_a_picture_s_middle_is_what_the_cropper_gave(folders):
    train, _ = pictures.read(folders / "photos", 64)
    shown = pictures.look(train, 64, [0])[0]
    original = cv2.imread(str(folders / "photos" / "0.png"))[:, :, ::-1]
    assert np.abs(shown.astype(int) - original).mean() < 4
    assert np.abs(np.roll(shown, 2, axis=1).astype(int) - original).mean() > 8


def test_distances_of_sets():
    torch.manual_seed(0)
    a, b, far = torch.randn(400, 4), torch.randn(400, 4), torch.randn(400, 4) + 3
    assert features.frechet(a, b) < 0.2
    assert features.frechet(a, far) == pytest.approx(36, rel=0.05)  # same covariance: the squared distance of means
    assert abs(features.kernel(a, b)) < 0.1
    assert features.kernel(a, far) > 10
    assert features.nearest(a, a) == pytest.approx(0, abs=1e-3)


def test_squeezenet_knows_what_it_sees(data):
    net = features.SqueezeNet(data / "net_squeezenet_deepcomp" / "squeezenet_v1.0_decoded_fp32.npz")
    assert net.name == "proxy"
    x = torch.rand(1, 3, 64, 64) * 2 - 1
    blur = torch.nn.functional.avg_pool2d(x, 5, 1, 2)
    assert float(features.distance(net, x, x)) == 0
    assert float(features.distance(net, x, x + 0.01)) < 0.2 * float(features.distance(net, x, blur))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"photos": "gone"}, "gone is not there; give a folder of pictures"),
        ({"photos": "mixed"}, "holds pictures of different sizes (5 of 64x64, 1 of 64x50)"),
        ({"photos": "few"}, "holds 0 pictures to train on"),
        ({"photos": "broken"}, "broken/x.png cannot be read as a picture"),
        ({"epochs": "0"}, "--epochs must be above 0"),
        ({"net": "vgg"}, "no net 'vgg'; choose from munet24"),
        ({"content": "1"}, "--content needs --squeezenet"),
        ({"squeezenet": "gone.npz"}, "SqueezeNet weights gone.npz cannot be read"),
    ],
)
def test_bad_input_is_one_line(change, said, folders, tmp_path, capsys):
    for name, sizes in (("mixed", [64] * 5 + [50]), ("few", []), ("broken", [])):
        (tmp_path / name).mkdir()
        for n, height in enumerate(sizes):
            cv2.imwrite(str(tmp_path / name / f"{n}.png"), np.zeros((height, 64, 3), np.uint8))
    (tmp_path / "broken" / "x.png").write_bytes(b"no picture")
    fixed = {"photos": str(folders / "photos"), "drawings": str(folders / "drawings"), "size": "64"}
    if "photos" in change:
        change = {"photos": str(tmp_path / change["photos"])}
    given = fixed | {"out": str(tmp_path / "x")} | change
    assert program.main(["cyclegan", *(x for k, v in given.items() for x in (f"--{k}", v))]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "x").exists()


def test_another_method_s_checkpoint_is_not_resumed(args):
    checkpoint.save(args.out / "checkpoint.pt", {"ema": {}, "args": {"net": "munet16"}})
    with pytest.raises(UsageError, match="of another method"):
        cyclegan.begin(replace(args, resume=True))
