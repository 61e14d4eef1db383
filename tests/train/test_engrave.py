import signal
from dataclasses import replace

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")

import torch

from train import __main__ as program
from train.methods import engrave, paired
from train.run import checkpoint
from train.style_folder import export


@pytest.fixture(scope="module")
def args(tmp_path_factory, request, folders):
    """Pairs of the portrait, a net that two steps of `paired` made, and the drawings of the folder at 256 px."""
    folder = tmp_path_factory.mktemp("engrave")
    face = cv2.resize(request.getfixturevalue("portrait"), (256, 256), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
    (folder / "pairs").mkdir()
    for split, count in (("train", 4), ("val", 2)):
        np.save(folder / "pairs" / f"{split}_images.npy", np.stack([np.roll(face, n, axis=1) for n in range(count)]))
        np.save(folder / "pairs" / f"{split}_drawings.npy", np.stack([np.roll(grey, n, axis=1) for n in range(count)]))
        np.save(folder / "pairs" / f"{split}_mattes.npy", np.full((count, 256, 256), 255, np.uint8))
    run = {"net": "munet16", "batch": 2, "warmup": 1, "ema": 0.8, "threads": 1}
    paired.train(paired.Args(folder / "pairs", out=folder / "first", steps=2, every=2, **run))
    return engrave.Args(
        folder / "pairs", drawings=folders / "drawings", init=folder / "first" / "checkpoint.pt", out=folder / "run",
        steps=3, every=3, **run,
    )  # fmt: skip


def test_it_resumes_to_the_bit_and_deploys(args, tmp_path):
    whole = engrave.train(args)
    assert {"gan", "judge", "strokes", "kernel", "variety", "copying", "ms_ssim"} <= whole.history[-1].keys()
    half = replace(args, out=tmp_path / "half")
    update = engrave.Run.update

    def stop(self, batch):
        if self.step == 1:
            signal.getsignal(signal.SIGINT)(signal.SIGINT, None)
        return update(self, batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engrave.Run, "update", stop)
        with pytest.raises(KeyboardInterrupt, match="stopped at step 2"):
            engrave.train(half)
    resumed = engrave.train(replace(half, resume=True))
    for part in ("net", "ema", "judge"):
        theirs = resumed.parts[part].state_dict()
        assert all(torch.equal(v, theirs[k]) for k, v in whole.parts[part].state_dict().items()), part
    best = args.out / "best.safetensors"
    net = export.deploy(checkpoint.load(best), export.Args(best, tmp_path / "style"))  # the file: test_networks.py
    assert net(torch.zeros(1, 256, 256, 3, dtype=torch.uint8)).shape == (1, 256, 256, 4)


def test_paper_is_levelled_to_white():
    x = torch.full((1, 3, 8, 8), 0.4)
    x[:, :, :1] = -1
    flat = engrave.with_white_paper(x)
    assert flat.shape == (1, 1, 8, 8)
    assert float(flat.min()) == 0
    assert float(flat[0, 0, 1:].min()) == 1


def test_solid_black_is_opened_and_lines_stay():
    gaps = torch.zeros(1, 1, 64, 64)
    gaps[..., ::4, :] = 1
    drawing = torch.ones(1, 1, 64, 64)
    drawing[..., 20:60, 8:56] = 0  # cloth
    drawing[..., 8:10, 8:56] = 0  # a line
    opened = engrave.with_open_blacks(drawing, gaps)
    assert torch.equal(opened[..., :16, :], drawing[..., :16, :])
    assert (opened[..., 28:52:4, 16:48] == 1).all()
    assert (opened[..., 29:52:4, 16:48] == 0).all()


def test_it_wants_a_net_that_draws(args, capsys):
    line = ["--pairs", str(args.pairs), "--drawings", str(args.drawings), "--out", str(args.out.parent / "x")]
    assert program.main(["engrave", *line]) == 2
    assert "give --init, a checkpoint that `paired` wrote or a style folder" in capsys.readouterr().err
    assert not (args.out.parent / "x").exists()
