"""One file adds a teacher, one a method: here from another installed package, found by its entry points."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")

from foundation.errors import UsageError
from train import __main__ as program
from train import teachers
from train.run import checkpoint

ROOT = Path(__file__).parent.parent.parent
TEACHER = '''
import numpy as np

def draw(image, mask, contours):
    """Paper where the person is."""
    assert image.shape == (*mask.shape, 3)
    return np.where(mask > 127, 255, 7).astype(np.uint8)
'''
METHOD = '''
from dataclasses import dataclass
import itertools
import numpy as np
import torch
from train.run import loop

@dataclass
class Args(loop.Args):
    """Nothing -> the number asked for."""
    number: float = 2.0
    """what to learn"""

class Run(loop.Run):
    best_by, higher_is_better = "off", False

    def __init__(self, args):
        super().__init__(args)
        self.steps = 30
        self.net = torch.nn.Linear(1, 1)
        self.optimiser = torch.optim.SGD(self.net.parameters(), 0.2)
        self.parts = {"ema": self.net, "optimiser": self.optimiser}

    def update(self, batch):
        loss = (self.net(torch.ones(1, 1)) - self.args.number).square().mean()
        self.descend(loss, self.optimiser)
        return {"total": loss.detach()}

    def validate(self):
        return {"off": abs(float(self.net(torch.ones(1, 1)).detach()) - self.args.number)}

    def sheet(self):
        return np.zeros((8, 8, 3), np.uint8)

def train(args):
    loop.check(args)
    return Run(args).train(None for _ in itertools.count())
'''


@pytest.fixture
def installed(tmp_path):
    """The environment of a Python in which another package with a teacher and a method is installed."""
    site = tmp_path / "site"
    info = site / "strangers-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strangers\nVersion: 0\n")
    (info / "entry_points.txt").write_text(
        "[streamtoon.teachers]\nsilhouette = stranger_teacher\n[streamtoon.methods]\nnumber = stranger_method\n"
    )
    (site / "stranger_teacher.py").write_text(TEACHER)
    (site / "stranger_method.py").write_text(METHOD)
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(site)])}


def train(env, *line):
    command = [sys.executable, "-m", "train", *map(str, line)]
    return subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_teacher_of_another_package_draws_the_pairs(installed, prepared, tmp_path):
    out = tmp_path / "pairs"
    done = train(
        installed, "pairs", "--crops", prepared / "crops", "--out", out, "--views", 1, "--teacher", "silhouette",
        "--workers", 2,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert set(np.unique(np.load(out / "train_drawings.npy"))) == {7, 255}


def test_a_method_of_another_package_trains(installed, tmp_path):
    done = train(installed, "number", "--number", "5", "--out", tmp_path / "run", "--every", "10", "--no-bf16")
    assert done.returncode == 0, done.stderr
    assert "30 steps in" in done.stdout
    net = checkpoint.load(tmp_path / "run" / "checkpoint.pt")["ema"]
    assert float(net["weight"] + net["bias"]) == pytest.approx(5, abs=1e-3)
    assert (tmp_path / "run" / "report.html").is_file()
    assert train(installed, "number", "--out", tmp_path / "x", "--every", "0").returncode == 2


def test_help_tells_of_the_method_and_what_it_asks_for(installed):
    everything, one = train(installed, "--help"), train(installed, "number", "--help")
    assert all(verb in everything.stdout for verb in (*program.verbs(), "number", "Nothing -> the number asked for."))
    assert "--number FLOAT" in one.stdout
    assert "what to learn" in one.stdout


def test_names_of_our_own_and_unknown_ones():
    assert program.verbs() == (
        "prepare", "pairs", "picture-pairs",
        "cyclegan", "engrave", "paired", "picture", "pix2pix",
        "export", "evaluate", "diagnose",
    )  # fmt: skip
    assert teachers.TEACHERS.names() == ("comic", "ink", "line", "wash")
    with pytest.raises(UsageError, match="there is no teacher 'oil'; choose from comic, ink, line, wash"):
        teachers.load("oil")


def test_every_method_of_ours_keeps_the_contract():
    for verb in program.verbs():
        kind, act = program.load(verb)
        assert kind.__doc__
        assert callable(act)
