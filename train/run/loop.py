"""What every method does besides learning: the clock, several processes, checkpoints, the best so far, the report.

A method subclasses ``Run``: it says what is learned (``parts``), what one step is (``update``), how it is judged on
pictures it never sees (``validate``, ``sheet``). What is random in step n follows from (seed, process, n) alone, and a
checkpoint is taken between steps, so a resumed run equals an uninterrupted one, on a CPU to the bit.
"""

from __future__ import annotations

import copy
import json
import logging
import math
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Final, Self, TypeVar

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast, is_tensorboard_available, reduce
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn
from tqdm import tqdm  # type: ignore[import-untyped]

from foundation import files
from foundation.errors import TrainingError, UsageError
from streamtoon.types import U8
from train.run import checkpoint, report
from train.run.sample_sheet import write_png
from train.run.threads import torch_threads

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Args:
    """What every method is asked for."""

    out: Path
    """folder for checkpoint.pt, best.safetensors, history.json, report.html and sample sheets"""
    resume: bool = False
    """go on from OUT/checkpoint.pt (its net and schedule)"""
    max_minutes: float | None = None
    """wall-clock budget in minutes, earlier parts of a resumed run counted in"""
    bf16: bool = True
    """multiply in bfloat16 where it is no slower: on GPUs and AVX-512 (1.7 times as fast where the CPU has it)"""
    seed: int = 0
    """start weights, order of the pictures, everything random"""
    every: int = 200
    """steps between checkpoints, validations and sample sheets"""
    threads: int = 0
    """torch threads; 0 leaves the choice to torch"""
    tensorboard: bool = False
    """write OUT/tensorboard too (needs the `tensorboard` extra)"""


A = TypeVar("A", bound=Args)
# what may be given anew to a run that goes on
FREE: Final = {"out", "resume", "max_minutes", "bf16", "every", "threads", "tensorboard"}
LOOK_EVERY: Final = 50  # steps on a GPU between looks at the loss: each look waits until it has done all it was given


class Run(ABC):
    """One training run. ``parts`` holds everything with a state_dict; ``ema`` and ``ema_back`` are what is exported."""

    args: Any
    best_by: ClassVar[str]  # the figure of ``validate`` that picks the best checkpoint
    higher_is_better: ClassVar[bool]

    def __init__(self, args: Args) -> None:
        self.args = args
        self.steps, self.step, self.seconds, self.history = 1, 0, 0.0, list[dict[str, float]]()
        self.sums, self.tally = dict[str, float](), 0  # of the loss's terms since the last row of the history
        self.unread = list[dict[str, Tensor]]()  # terms of the last steps, still on the device
        board = "tensorboard" if args.tensorboard else None
        self.accelerator = Accelerator(log_with=board, project_dir=str(args.out))
        self.device, self.rank = self.accelerator.device, self.accelerator.process_index
        self.parts: dict[str, Any] = {}

    @abstractmethod
    def update(self, batch: Any) -> dict[str, Tensor]:
        """One optimiser step; the named terms of the loss."""

    @abstractmethod
    def validate(self) -> dict[str, float]:
        """Figures on held-out pictures, ``best_by`` among them."""

    @abstractmethod
    def sheet(self) -> U8:
        """(h, w, 3) uint8 RGB: always the same held-out pictures and what becomes of them."""

    def progress(self) -> float:
        """How far the run is, 0..1, by steps or by the clock, whichever is further."""
        clock = self.seconds / (60 * self.args.max_minutes) if self.args.max_minutes else 0.0
        return min(1.0, max(self.step / self.steps, clock))

    def autocast(self) -> Any:
        """Where networks multiply in bfloat16, if asked for; torch takes 7 times as long for it on AVX2."""
        slow = self.device.type == "cpu" and "AVX512" not in torch.backends.cpu.get_cpu_capability()
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.args.bf16 and not slow)

    def descend(self, loss: Tensor, optimiser: torch.optim.Optimizer, *, clip: float | None = 1.0) -> None:
        """One step down the loss's gradient, averaged over all processes."""
        optimiser.zero_grad()
        self.accelerator.backward(loss)
        weights = [p for group in optimiser.param_groups for p in group["params"] if p.grad is not None]
        if self.accelerator.num_processes > 1:
            mean = reduce(torch.cat([p.grad.flatten() for p in weights]), "mean")
            for p, grad in zip(weights, mean.split([p.numel() for p in weights]), strict=True):
                p.grad.copy_(grad.view_as(p))
        if clip is not None:
            nn.utils.clip_grad_norm_(weights, clip)
        optimiser.step()

    def settings(self) -> dict[str, Any]:
        """The arguments as a checkpoint keeps them."""
        return {k: str(v) if isinstance(v, Path) else v for k, v in asdict(self.args).items()}

    def save(self) -> None:
        """OUT/checkpoint.pt, history.json and report.html, each whole or not at all; best.safetensors where it is."""
        state = {
            "args": self.settings(), "step": self.step, "seconds": self.seconds, "history": self.history,
            "sums": self.sums, "tally": self.tally,
            **{name: part.state_dict() for name, part in self.parts.items()},
        }  # fmt: skip
        checkpoint.save(self.args.out / "checkpoint.pt", state)
        files.write_text(self.args.out / "history.json", json.dumps(self.history, indent=1))
        if self.history and self.history[-1]["step"] == self.step:
            figures = [row[self.best_by] for row in self.history]
            if figures[-1] == (max if self.higher_is_better else min)(figures):
                weights = {k: v for k, v in state.items() if k.startswith("ema")}
                checkpoint.save_weights(self.args.out / "best.safetensors", weights, state["args"], self.step)
        report.write(self.args.out, self.settings(), self.history)

    def restore(self, state: dict[str, Any]) -> Self:
        """Go on where ``save`` left off."""
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        self.step, self.seconds, self.history = state["step"], state["seconds"], state["history"]
        self.sums, self.tally = state["sums"], state["tally"]
        return self

    def train(self, stream: Generator[Any]) -> Self:
        """Until the last step or --max-minutes. Ctrl-C ends after the step under way, saved, as KeyboardInterrupt.

        Raises TrainingError where the loss is no number.
        """
        first, since, kept = self.seconds, time.monotonic(), self.step
        if self.args.tensorboard:
            self.accelerator.init_trackers("tensorboard")
        bar = tqdm(total=self.steps, initial=self.step, unit="step", smoothing=0.02, disable=self.rank > 0)
        with torch_threads(self.args.threads), closing(stream), closing(bar), stopping() as stopped:
            while self.progress() < 1:
                self._learn(next(stream), kept)
                self.seconds, stop = self.agree(first + time.monotonic() - since, stopped())
                bar.update()
                if self.step % self.args.every and self.progress() < 1 and not stop:
                    continue
                self._look(kept)
                if self.rank == 0:
                    if not stop:
                        bar.set_postfix(self._measure())
                    self.save()
                self.accelerator.wait_for_everyone()
                kept = self.step
                if stop:
                    raise KeyboardInterrupt(f"stopped at step {self.step}; go on with --resume")
        for tracker in self.accelerator.trackers:
            tracker.finish()
        if self.rank == 0:
            file = self.args.out / "checkpoint.pt"
            log.info("%d steps in %.1f min -> %s", self.step, self.seconds / 60, file)
        return self

    def _learn(self, batch: Any, kept: int) -> None:
        """One step, its random numbers from (seed, process, step) alone. ``kept``: the step last saved."""
        torch.manual_seed(hash((self.args.seed, self.rank, self.step)) % 2**63)
        self.unread.append(self.update(batch))
        self.step += 1
        if self.device.type == "cpu" or len(self.unread) == LOOK_EVERY:
            self._look(kept)

    def _look(self, kept: int) -> None:
        """Sum up the terms of the last steps. Raises TrainingError where one is no number."""
        unread, self.unread = self.unread, []
        rows = [torch.stack([*terms.values()]) for terms in unread]
        values = torch.stack(rows).tolist() if rows else []
        for step, (terms, row) in enumerate(zip(unread, values, strict=True), self.step - len(unread)):
            told = dict(zip(terms, row, strict=True))
            if not all(map(math.isfinite, row)):
                raise TrainingError(f"the loss is no number at step {step} ({told}); {self.way_on(kept)}")
            self.sums = {name: self.sums.get(name, 0.0) + value for name, value in told.items()}
            self.tally += 1

    def _measure(self) -> dict[str, str]:
        """A row of the history and a sample sheet; what of the row the progress bar shows."""
        row = {k: v / self.tally for k, v in self.sums.items()} | self.validate()
        self.sums, self.tally = {}, 0
        self.history.append({"step": self.step, "minutes": self.seconds / 60} | row)
        write_png(self.args.out / "sheets" / f"{self.step:06d}.png", self.sheet())
        self.accelerator.log(row, self.step)
        return {k: f"{v:.3f}" for k, v in row.items() if k in {"total", self.best_by}}

    def way_on(self, kept: int) -> str:
        """What to do after a run went wrong."""
        if not kept:
            return "nothing was saved yet; try a lower --lr or --no-bf16"
        return (
            f"step {kept} is saved: --resume --no-bf16, or --init {self.args.out / 'checkpoint.pt'} with a lower --lr"
        )

    def agree(self, seconds: float, stop: bool) -> tuple[float, bool]:  # noqa: FBT001 - two facts of one process
        """The first process's clock, and whether any process was asked to stop."""
        if self.accelerator.num_processes == 1:
            return seconds, stop
        clock = broadcast(torch.tensor(seconds, dtype=torch.float64, device=self.device))
        return float(clock), bool(reduce(torch.tensor(float(stop), device=self.device), "sum") > 0)


@contextmanager
def stopping() -> Iterator[Callable[[], bool]]:
    """Says whether Ctrl-C or SIGTERM came; the second Ctrl-C interrupts at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return

    def ask(number: int, _: Any) -> None:
        asked.set()
        signal.signal(number, signal.default_int_handler)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def check(args: Args, **numbers: float | None) -> None:
    """Raise UsageError unless every number given is above 0 and what else was asked for is installed."""
    wrong = [
        k
        for k, v in {"every": args.every, "max-minutes": args.max_minutes, **numbers}.items()
        if v is not None and v <= 0
    ]
    if wrong:
        raise UsageError(f"{', '.join('--' + w for w in wrong)} must be above 0")
    if args.tensorboard and not is_tensorboard_available():
        raise UsageError("tensorboard is not installed; pip install tensorboard, or leave --tensorboard out")


def resumed(args: A, method: str, free: set[str]) -> tuple[A, dict[str, Any] | None]:
    """The arguments, and the state in OUT where --resume says so: then all but ``free`` ones are as they were there.

    Raises UsageError where OUT holds no checkpoint of ``method``.
    """
    if not args.resume:
        return args, None
    file = args.out / "checkpoint.pt"
    state = checkpoint.load(file)
    if state["args"].get("method") != method:
        raise UsageError(f"{file} is of another method; give its own --out")
    return replace(args, **{f.name: state["args"][f.name] for f in fields(args) if f.name not in free | FREE}), state


@torch.no_grad()
def update_ema(average: nn.Module, net: nn.Module, decay: float, step: int) -> None:
    """One step of the moving average (Polyak), quicker in the beginning."""
    decay = min(decay, (step + 1) / (step + 10))
    pairs = list(zip(average.state_dict().values(), net.state_dict().values(), strict=True))
    means, values = zip(*(pair for pair in pairs if pair[0].is_floating_point()), strict=True)
    get_ema_multi_avg_fn(decay)(means, values, step)  # type: ignore[no-untyped-call]
    for a, b in pairs:
        if not a.is_floating_point():
            a.copy_(b)


def averaged(net: nn.Module) -> nn.Module:
    """A copy to keep the moving average in."""
    return copy.deepcopy(net).eval().requires_grad_(False)


def start(net: nn.Module, weights: dict[str, Tensor], source: Path) -> None:
    """Take every weight of the same name and shape. Raises UsageError where fewer than half fit."""
    own = net.state_dict()
    same = {k: v for k, v in weights.items() if k in own and own[k].shape == v.shape}
    if len(same) < len(own) // 2:
        raise UsageError(f"checkpoint {source} is of another net: only {len(same)} of {len(own)} weights fit")
    net.load_state_dict(same, strict=False)
