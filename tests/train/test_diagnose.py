"""Runs made to go wrong in one way each: diagnose must tell which."""

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")

from train import networks
from train.data import batches
from train.evaluation import diagnose
from train.methods import cyclegan, paired
from train.networks.munet import MUNet
from train.networks.reference import UNet

SIZE = 176  # px; MS-SSIM needs more than 160


@pytest.fixture(scope="module")
def pairs(tmp_path_factory, request):
    """Folders of pairs: ``easy``, the drawing is the photo's blurred grey; ``chance``, it has nothing to do with it."""
    face = cv2.resize(request.getfixturevalue("portrait")[:, :, ::-1], (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("diagnose")
    for kind in ("easy", "chance"):
        (folder / kind).mkdir()
        for split in ("train", "val"):
            photos, drawings = [], []
            for n in range(2):
                photos.append(np.roll(face, 14 * n + (7 if split == "val" else 0), axis=1))
                grey = cv2.GaussianBlur(cv2.cvtColor(photos[-1], cv2.COLOR_BGR2GRAY), (0, 0), 2)
                noise = cv2.resize(rng.integers(0, 255, (12, 12)).astype(np.uint8), (SIZE, SIZE))
                drawings.append(grey if kind == "easy" else noise)
            np.save(folder / kind / f"{split}_images.npy", np.stack(photos))
            np.save(folder / kind / f"{split}_drawings.npy", np.stack(drawings))
            np.save(folder / kind / f"{split}_mattes.npy", np.full((2, SIZE, SIZE), 255, np.uint8))
    return folder


@pytest.mark.parametrize(
    ("script", "word"),
    [(("easy", 3, 1e-5), "underfit"), (("easy", 30, 6e-3), "good"), (("chance", 50, 1e-2), "overfit")],
)
def test_fit_is_told_from_the_curves(pairs, script, word, tmp_path, monkeypatch):
    kind, steps, lr = script
    monkeypatch.setattr(paired.data, "degrade", lambda _, photo: photo)
    for part, shape in batches.PAIR_SHAPES.items():
        monkeypatch.setitem(batches.PAIR_SHAPES, part, (SIZE, SIZE, *shape[2:]))
    monkeypatch.setattr(networks, "MUNet", lambda width, _size, **rest: MUNet(width, SIZE, **rest))
    args = paired.Args(
        pairs / kind, out=tmp_path / "run", net="munet16", hatch=False, steps=steps, batch=2, every=max(1, steps // 3),
        warmup=1, lr=lr, ema=0.8, similar=1.0, edges=0.0, face=0.0, threads=1, bf16=False,
    )  # fmt: skip
    paired.train(args)
    found = diagnose.diagnose(diagnose.Args(tmp_path / "run"))
    assert found.word == word, found


def test_a_collapsed_run_is_told(folders, tmp_path, monkeypatch, capsys):
    """Without the way back, a generator that sees little of its photo draws one thing."""
    monkeypatch.setattr(networks, "UNet", lambda *, skips: UNet(8, skips=skips))
    args = cyclegan.Args(
        folders / "photos", folders / "drawings", out=tmp_path / "run", size=64, net="encdec", epochs=4, batch=4,
        cycle=0.0, cycle_end=0.0, every=6, ema=0.8,
    )  # fmt: skip
    cyclegan.train(args)
    assert diagnose.diagnose(diagnose.Args(tmp_path / "run")).word == "collapsed"
    assert f"What to do: {diagnose.ADVICE_BY_FINDING['collapsed']}" in capsys.readouterr().out


def row(**figures):
    return {"step": 1, "minutes": 1.0, "cycle_train": 0.1, "cycle_val": 0.1, "variety": 0.9, "copying": 1.0} | figures


@pytest.mark.parametrize(
    ("last", "word"),
    [({}, "good"), ({"copying": 0.1}, "leaking"), ({"cycle_train": 0.005, "cycle_val": 0.006}, "leaking")],
)
def test_leaks_are_told(last, word):
    assert diagnose.classify([row(cycle_train=0.4, cycle_val=0.4), row(**last)]).word == word


def test_a_run_that_leaves_its_teacher_on_purpose_is_not_called_underfit():
    row = {"step": 1.0, "ms_ssim": 0.8, "ms_ssim_train": 0.8}
    assert diagnose.classify([row, row]).word == "underfit"
    adversarial = row | {"kernel": 1.0, "variety": 1.0, "copying": 1.4}
    assert diagnose.classify([adversarial, adversarial]).word == "good"
