import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("pytorch_msssim")

import torch

from foundation.errors import UsageError
from train import __main__ as program
from train.data import pairs, photo_files, prepare
from train.methods import paired


@pytest.fixture(scope="module")
def drawn(prepared):
    """Their pairs; where the hash put nobody into val, train's stand in."""
    pairs.pairs(pairs.Args(prepared / "crops", prepared / "pairs", views=1, workers=1))
    for part in pairs.PAIR_SHAPES:
        if not (prepared / "pairs" / f"val_{part}.npy").exists():
            np.save(prepared / "pairs" / f"val_{part}.npy", np.load(prepared / "pairs" / f"train_{part}.npy")[:2])
    return prepared / "pairs"


@pytest.fixture
def args(drawn, tmp_path):
    return paired.Args(
        drawn, out=tmp_path / "run", net="munet16", steps=20, batch=2, every=10, warmup=5, lr=3e-3, ema=0.8, threads=1
    )


def test_prepare_keeps_hashes_and_leaves_out_what_is_no_face(prepared):
    manifest = json.loads((prepared / "crops" / "manifest.json").read_text())
    assert sorted(manifest["left_out"]) == ["broken.jpg", "nobody.png"]
    items = prepare.load(prepared / "crops")
    assert [i.name for i in items] == [f"p{n}" for n in range(8)]
    assert len({i.sha256 for i in items}) == 8
    assert items[0].score > 0.8
    assert all(i.split == photo_files.split_of(f"{i.name}.png") for i in items)
    crop = cv2.imread(str(prepared / "crops" / "crops" / "p0.png"))
    assert crop.shape == (prepare.CANVAS_PX, prepare.CANVAS_PX, 3)


def test_the_split_never_moves():
    """A change of the rule would mix tested people into training."""
    assert [photo_files.split_of(f"{n}.jpg") for n in range(5)] == ["train", "test", "train", "train", "train"]
    splits = [photo_files.split_of(f"{n}.jpg") for n in range(1000)]
    assert [splits.count(s) for s in ("train", "val", "test")] == [847, 57, 96]


def test_twenty_steps_lower_the_loss(args):
    run = paired.train(args)
    assert run.step == 20
    assert run.history[-1]["total"] < 0.9 * run.history[0]["total"]
    names = sorted(p.name for p in args.out.iterdir())
    assert names == ["best.safetensors", "checkpoint.pt", "history.json", "report.html", "sheets"]
    assert sorted(p.name for p in (args.out / "sheets").iterdir()) == ["000010.png", "000020.png"]


def test_resumed_equals_uninterrupted(args, tmp_path):
    whole = paired.train(replace(args, steps=6, every=3))
    half = replace(args, out=tmp_path / "half", steps=6, every=3)
    update, seen = paired.Run.update, []

    def stop(self, batch):
        seen.append(self.step)
        if self.step == 3:
            signal.getsignal(signal.SIGINT)(signal.SIGINT, None)
        return update(self, batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paired.Run, "update", stop)
        with pytest.raises(KeyboardInterrupt, match="stopped at step 4; go on with --resume"):
            paired.train(half)
    assert seen == [0, 1, 2, 3]
    resumed = paired.train(replace(half, resume=True))
    for name, weight in whole.net.state_dict().items():
        assert torch.equal(weight, resumed.net.state_dict()[name]), name
    for name, weight in whole.average.state_dict().items():
        assert torch.equal(weight, resumed.average.state_dict()[name]), name


def test_the_clock_ends_a_run(args):
    run = paired.train(replace(args, steps=100_000, max_minutes=0.03, every=10_000))
    assert 0 < run.step < 100_000
    assert run.seconds >= 1.8
    assert (args.out / "checkpoint.pt").is_file()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["prepare", "--photos", "gone", "--out", "x"], "photos folder gone is not there"),
        (["pairs", "--crops", "gone", "--out", "x"], "gone is no prepared folder"),
        (
            ["pairs", "--crops", "gone", "--out", "x", "--teacher", "oil"],
            "no teacher 'oil'; choose from comic, ink, line, wash",
        ),
        (["paired", "--pairs", "gone", "--out", "x"], "gone holds no train pairs"),
        (["paired", "--pairs", "gone", "--out", "x", "--net", "vgg"], "no net 'vgg'; choose from munet24"),
        (["paired", "--pairs", "gone", "--out", "x", "--steps", "0"], "must be above 0"),
        (["paired", "--pairs", "gone", "--out", "gone", "--resume"], "checkpoint gone/checkpoint.pt is not there"),
        (["export", "--checkpoint", "junk.pt", "--out", "x"], "checkpoint junk.pt cannot be read"),
        (["evaluate", "--style", "gone", "--crops", "gone", "--out", "x"], "gone holds no ONNX file"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(line, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "junk.pt").write_bytes(b"PK junk")
    assert program.main(line) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "x").exists()


def test_weights_of_another_net_are_refused(args, tmp_path):
    paired.train(replace(args, steps=1, every=1))
    other = replace(args, out=tmp_path / "other", net="munet24", init=args.out / "checkpoint.pt")
    with pytest.raises(UsageError, match="is of another net"):
        paired.begin(other)


def test_help_names_every_verb():
    run = subprocess.run([sys.executable, "-m", "train", "--help"], capture_output=True, text=True, check=True)
    assert all(verb in run.stdout for verb in ("prepare", "pairs", "paired", "cyclegan", "export", "evaluate"))


def test_a_style_is_evaluated_on_people(prepared, tmp_path, capsys):
    style = str(Path(__file__).parent.parent.parent / "streamtoon" / "styles" / "engraving")
    line = ["evaluate", "--style", style, "--crops", str(prepared / "crops"), "--out", str(tmp_path / "figures")]
    names = [i.name for i in prepare.load(prepared / "crops") if i.split == "test"]
    (tmp_path / "groups.json").write_text(json.dumps({"the last": names[-1:]}))
    assert program.main([*line, "--groups", str(tmp_path / "groups.json")]) == 0
    assert "| the last | 1 | 100 % |" in capsys.readouterr().out
    told = json.loads((tmp_path / "figures" / "evaluation.json").read_text())["groups"]
    assert told["everybody"]["people"] == len(names)
    assert told["dim light"]["people"] == len(names)
    assert told["darkest faces"]["people"] == 1
    for group in told.values():
        assert group["landmark_error"] < 0.12
        assert group["chin_darkens"] == 0
    assert (tmp_path / "figures" / "evaluation.png").is_file()
    (tmp_path / "groups.json").write_text(json.dumps({"strangers": ["nobody"]}))
    assert program.main([*line, "--groups", str(tmp_path / "groups.json")]) == 2
    assert "nobody of group 'strangers' is among the test people" in capsys.readouterr().err


def test_drawings_are_prepared_alone_on_white_paper(request):
    from streamtoon.pipeline.find import Finder
    from train.data.person_mask import PersonMask

    with Finder() as finder:
        canvas, _, _ = prepare.canvas_of(request.getfixturevalue("portrait"), finder, 2.2)
    person = PersonMask()
    mask = person(canvas)
    person.close()
    hatched = canvas // 2 + 90  # a scan: grey paper, soft greys
    hatched[::3] //= 3
    sitter = prepare.alone(hatched, mask)
    assert (sitter[mask < 3] > 250).all()
    assert sitter[mask > 250].mean() < 200
    assert prepare.alone(cv2.GaussianBlur(hatched, (0, 0), 4), mask) is None, "a scan as soft as that shows no strokes"
    assert prepare.alone(hatched, np.zeros_like(mask)) is None, "nobody is seen on it"
