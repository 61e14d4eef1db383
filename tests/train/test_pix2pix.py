from dataclasses import replace

import cv2
import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")

import torch

from train import __main__ as program
from train import networks
from train.evaluation import diagnose
from train.methods import pix2pix
from train.networks.reference import UNet
from train.style_folder import export


@pytest.fixture
def args(folders, tmp_path):
    """Photos, and their negatives as sketches."""
    for part in ("photos", "sketches"):
        (tmp_path / "pairs" / part).mkdir(parents=True)
        for n in range(12):
            picture = cv2.imread(str(folders / "photos" / f"{n}.png"))
            cv2.imwrite(str(tmp_path / "pairs" / part / f"{n}.png"), picture if part == "photos" else 255 - picture)
    return pix2pix.Args(
        tmp_path / "pairs", out=tmp_path / "run", net="munet16", size=64, epochs=2, batch=4, every=3, lr=3e-3, ema=0.8,
        threads=1,
    )  # fmt: skip


@pytest.mark.parametrize("direction", ["to-drawing", "to-photo"])
def test_it_learns_either_direction_and_deploys(args, direction):
    run = pix2pix.train(replace(args, direction=direction, epochs=8, every=8))
    assert run.history[-1]["pixel"] < 0.75 * run.history[0]["pixel"]
    parity = export.export(export.Args(args.out / "best.safetensors", args.out / "style", force=True))
    assert parity["fp32"] >= 55
    assert diagnose.diagnose(diagnose.Args(args.out)).word in diagnose.ADVICE_BY_FINDING


def test_pairs_held_out_by_name_are_not_trained_on(args):
    other = args.pairs.parent / "other"
    for part in ("photos", "sketches"):
        (other / part).mkdir(parents=True)
        for n in range(3):
            (args.pairs / part / f"{n}.png").rename(other / part / f"{n}.png")
    train, val = pix2pix.read(replace(args, held_out=other))
    assert [len(p.images) for p in (*train, *val)] == [9, 9, 3, 3]
    assert not any((v == t).all() for v in val[0].images for t in train[0].images)


def test_resumed_equals_uninterrupted(args, tmp_path):
    whole = pix2pix.train(args)
    half = replace(args, out=tmp_path / "half")
    update = pix2pix.Run.update

    def fail(self, batch):
        if self.step == 4:
            raise OSError("killed")
        return update(self, batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pix2pix.Run, "update", fail)
        with pytest.raises(OSError, match="killed"):
            pix2pix.train(half)
    resumed = pix2pix.train(replace(half, resume=True))
    for part in ("net", "ema", "judge"):
        theirs = resumed.parts[part].state_dict()
        assert all(torch.equal(v, theirs[k]) for k, v in whole.parts[part].state_dict().items()), part


@pytest.mark.parametrize("net", ["unet", "encdec"])
def test_the_papers_nets_and_every_term(args, net, monkeypatch):
    monkeypatch.setattr(networks, "UNet", lambda *, skips: UNet(8, skips=skips))
    run = pix2pix.train(replace(args, net=net, epochs=1, every=1))
    assert {"pixel", "similar", "edges", "gan", "judge", "ssim", "ssim_train"} <= run.history[-1].keys()
    assert run.history[0]["gan"] == 0 < run.history[-1]["gan"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--perceptual", "1"], "--perceptual needs --squeezenet"),
        (["--net", "vgg"], "no net 'vgg'"),
        (["--size", "65"], "--size is 65; it must be a multiple of 64"),
        (["--pairs", "gone"], "gone holds no folder photos"),
    ],
)
def test_bad_input_is_one_line(args, change, said, capsys):
    assert program.main(["pix2pix", "--pairs", str(args.pairs), "--out", str(args.out), *change]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not args.out.exists()
