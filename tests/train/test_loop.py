"""What every method inherits: two processes, a full disk, a loss that is no number, the report."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")

import torch

from foundation.errors import UsageError
from train import __main__ as program
from train.methods import cyclegan
from train.run import checkpoint, loop
from train.run.threads import torch_threads

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def line(folders, tmp_path):
    """A command line of two steps."""
    return [
        "cyclegan", "--photos", str(folders / "photos"), "--drawings", str(folders / "drawings"), "--out",
        str(tmp_path / "run"), "--size", "64", "--net", "munet16", "--epochs", "1", "--batch", "8", "--threads", "1",
    ]  # fmt: skip


def test_two_processes_learn_the_same(line, tmp_path):
    """Each sees its own pictures; averaged gradients keep their weights together, so one process's are the run's."""
    probe = tmp_path / "probe.py"
    probe.write_text(
        "import sys, torch, tyro\nfrom train.methods import cyclegan\n"
        "run = cyclegan.train(tyro.cli(cyclegan.Args, args=sys.argv[2:]))\n"
        "torch.save({'step': run.step, 'net': run.draw.state_dict()}, f'{sys.argv[1]}/{run.rank}.pt')\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    env = os.environ | {"PYTHONPATH": str(ROOT), "ACCELERATE_USE_CPU": "1", "OMP_NUM_THREADS": "1"}
    line[line.index("--batch") + 1] = "2"  # half as many steps as alone
    subprocess.run([*command, str(probe), str(tmp_path), *line[1:]], env=env, cwd=tmp_path, check=True, timeout=120)
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    assert first["step"] == second["step"] == 3
    for name, weight in first["net"].items():
        if "running" not in name and "num_batches" not in name:
            assert torch.equal(weight, second["net"][name]), name
    assert (tmp_path / "run" / "report.html").is_file()


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_what_was(line, tmp_path, monkeypatch, capsys):
    update = cyclegan.Run.update

    def spoil(self, batch):
        return {k: v * (float("nan") if self.step == 1 else 1) for k, v in update(self, batch).items()}

    monkeypatch.setattr(cyclegan.Run, "update", spoil)
    assert program.main([*line, "--every", "1"]) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("train: the loss is no number at step 1")
    assert "--resume --no-bf16" in error
    assert checkpoint.load(tmp_path / "run" / "checkpoint.pt")["step"] == 1


def test_a_full_disk_ends_the_run_in_one_line_and_keeps_the_last_checkpoint(line, tmp_path):
    """The limit on a file's size stands in for the full disk: writing fails in the middle of the checkpoint."""
    assert program.main(line) == 0
    kept = checkpoint.load(tmp_path / "run" / "checkpoint.pt")["step"]
    limited = (
        "import resource, signal, sys; from train.__main__ import main; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000,) * 2); sys.exit(main(sys.argv[1:]))"
    )
    again = [*line, "--every", "1"]
    run = subprocess.run([sys.executable, "-c", limited, *again], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr.strip().splitlines()[-1].startswith("train: ")
    assert "Traceback" not in run.stderr
    assert checkpoint.load(tmp_path / "run" / "checkpoint.pt")["step"] == kept
    assert not [f for f in (tmp_path / "run").iterdir() if f.name.endswith(".part")]


def test_the_report_needs_nothing_else(line, tmp_path):
    assert program.main([*line, "--every", "1", "--tensorboard"]) == 0
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert page.count("<polyline") == len(["total", "gan_drawing", "gan_photo", "cycle_photo", "cycle_drawing"]) + 11
    assert page.count("data:image/webp;base64,") == 2
    assert "http" not in page
    assert "<td>lr_judges<td>0.0001" in page
    assert list((tmp_path / "run" / "tensorboard").iterdir())


def test_the_best_is_kept_not_the_last(folders, tmp_path, monkeypatch):
    figures = iter([3.0, 1.0, 2.0])
    validate = cyclegan.Run.validate
    monkeypatch.setattr(cyclegan.Run, "validate", lambda self: validate(self) | {"kernel": next(figures)})
    args = cyclegan.Args(
        folders / "photos",
        folders / "drawings",
        out=tmp_path / "run",
        size=64,
        net="munet16",
        epochs=1,
        batch=5,
        every=1,
    )
    run = cyclegan.train(args)
    assert run.step == 3
    assert checkpoint.load(tmp_path / "run" / "best.safetensors")["step"] == 2
    with pytest.raises(UsageError, match="must be above 0"):
        cyclegan.train(replace(args, every=0))


def test_what_is_computed_with_threads_of_its_own_leaves_the_rest_alone():
    before = torch.get_num_threads()
    with torch_threads(before + 3):
        assert torch.get_num_threads() == before + 3
    assert torch.get_num_threads() == before


def test_a_missing_tensorboard_is_told_before_anything_is_made(line, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(loop, "is_tensorboard_available", lambda: False)
    assert program.main([*line, "--tensorboard"]) == 2
    assert "tensorboard is not installed" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
