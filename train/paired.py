"""Learn to draw like the teacher from pairs, and better than it on bad pictures: degraded photo in, clean drawing out.

L1 and structural similarity together, as in Zhao et al., "Loss Functions for Image Restoration" (IEEE TCI 2017); the L1
of gradients keeps strokes crisp, the L1 of 8 px means keeps tone where strokes cannot be placed. The matte learns by
cross-entropy. AdamW, cosine to zero, an exponential moving average of the weights is what gets exported.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections import defaultdict
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its name everywhere
from tqdm import tqdm  # type: ignore[import-untyped]

from train import checkpoint, data, metrics, nets, sheet
from train.checkpoint import BadInput
from train.data import Batch
from train.nets import MUNet


@dataclass
class Args:
    """Pairs -> checkpoint. Stops at --steps or --max-minutes, whichever comes first; Ctrl-C saves and stops."""

    pairs: Path
    """folder that `pairs` wrote"""
    out: Path
    """folder for checkpoint.pt, history.json and sample sheets"""
    net: str = "munet24"
    """munet24, munet32 or munet16"""
    hatch: bool = True
    """give the net the hatch texture; without it the drawing is a soft wash"""
    init: Path | None = None
    """checkpoint to start the weights from"""
    resume: bool = False
    """go on from OUT/checkpoint.pt (its data, net and schedule)"""
    steps: int = 20000
    """optimiser steps; the learning rate ends at zero there or at --max-minutes"""
    max_minutes: float | None = None
    """wall-clock budget in minutes, earlier parts of a resumed run counted in"""
    batch: int = 8
    """pairs a step"""
    lr: float = 2e-3
    """highest learning rate"""
    warmup: int = 100
    """steps up to it"""
    weight_decay: float = 1e-3
    """AdamW's"""
    similar: float = 0.5
    """weight of 1 - SSIM, at full and half size"""
    edges: float = 0.5
    """weight of the gradients' L1"""
    tone: float = 1.0
    """weight of the L1 of 8 px means"""
    matte: float = 0.4
    """weight of the matte's cross-entropy"""
    face: float = 2.0
    """extra weight of the pixels where eyes and mouth are"""
    still: float = 0.0
    """weight of the change of a drawing when its photo moves, brightens and grains as from one frame to the next"""
    ema: float = 0.997
    """decay of the moving average of the weights"""
    bf16: bool = True
    """multiply in bfloat16 (1.7 times as fast on CPUs that have it)"""
    seed: int = 0
    """start weights, order of the pairs, degradations"""
    every: int = 200
    """steps between checkpoints, validations and sample sheets"""
    threads: int = 0
    """torch threads; 0 leaves the choice to torch"""


def losses(logits: Tensor, batch: Batch, args: Args) -> dict[str, Tensor]:
    """The named terms of the loss, weighted. logits (N, 2, h, w) float32."""
    out, target = nets.drawing(logits), batch.drawings
    weight = (0.5 + batch.mattes) * focus(out.shape[-1], args.face)  # the person counts thrice what is behind
    terms = {"pixel": ((out - target).abs() * weight).mean()}
    if args.similar:
        halves = F.avg_pool2d(out, 2), F.avg_pool2d(target, 2)
        terms["similar"] = args.similar * (1 - (structure(out, target, 6, 2) + structure(*halves, 8, 4)) / 2)
    if args.edges:
        terms["edges"] = args.edges * sum(((out.diff(dim=d)) - target.diff(dim=d)).abs().mean() for d in (2, 3))  # type: ignore[assignment]
    if args.tone:
        terms["tone"] = args.tone * (F.avg_pool2d(out, 8, 4) - F.avg_pool2d(target, 8, 4)).abs().mean()
    terms["matte"] = args.matte * F.binary_cross_entropy_with_logits(logits[:, nets.MATTE :], batch.mattes)
    return terms


def next_frame(photos: Tensor) -> Tensor:
    """(N, 3, h, w) photos as a camera would see them a moment later: moved by up to 2 px, other light, other noise."""
    n, _, h, _ = photos.shape
    turn = torch.eye(2).expand(n, 2, 2) + torch.randn(n, 2, 2) * 0.006
    shift = torch.rand(n, 2, 1) * (8 / h) - 4 / h  # in halves of the side
    grid = F.affine_grid(torch.cat([turn, shift], dim=2), list(photos.shape), align_corners=False)
    moved = F.grid_sample(photos, grid, padding_mode="border", align_corners=False)
    strength = torch.rand(2, n, 1, 1, 1)
    light = F.interpolate(torch.randn(n, 1, 6, 6), size=(h, h), mode="bilinear")
    grain = (
        F.interpolate(torch.randn(n, 3, h // 2, h // 2), size=(h, h), mode="bilinear") + torch.randn_like(photos) / 2
    )
    return moved + 0.05 * strength[0] * light + 0.06 * strength[1] * grain


def focus(size: int, extra: float) -> Tensor:
    """(size, size) weights: 1, and ``extra`` more in the middle, where an aligned crop has eyes and mouth."""
    y, x = torch.meshgrid(torch.arange(size) / size, torch.arange(size) / size, indexing="ij")
    return 1 + extra * torch.exp(-(((x - 0.5) / 0.20) ** 2) - ((y - 0.5) / 0.20) ** 2)


def structure(a: Tensor, b: Tensor, window: int, stride: int) -> Tensor:
    """Mean SSIM (Wang et al. 2004, eq. 13) of (N, 1, h, w) over square windows, every ``stride`` px.

    The libraries' Gaussian windows at every pixel took longer than the network; metrics.py reports those.
    """
    means = F.avg_pool2d(torch.cat([a, b, a * a, b * b, a * b], dim=1), window, stride)
    ma, mb, aa, bb, ab = means.unbind(dim=1)
    spread, both = aa + bb - ma * ma - mb * mb, ab - ma * mb
    value = (2 * ma * mb + 1e-4) * (2 * both + 9e-4) / ((ma * ma + mb * mb + 1e-4) * (spread + 9e-4))
    return value.mean()


def progress(step: int, seconds: float, args: Args) -> float:
    """How far the run is, 0..1, by steps or by the clock, whichever is further."""
    clock = seconds / (60 * args.max_minutes) if args.max_minutes else 0.0
    return min(1.0, max(step / args.steps, clock))


def rate(step: int, done: float, args: Args) -> float:
    """Learning rate: linear warm-up, then half a cosine down to zero (Loshchilov and Hutter 2017)."""
    return args.lr * min(1.0, (step + 1) / max(args.warmup, 1)) * 0.5 * (1 + math.cos(math.pi * done))


@torch.no_grad()
def follow(average: MUNet, net: MUNet, decay: float, step: int) -> None:
    """One step of the moving average (Polyak), quicker in the beginning."""
    decay = min(decay, (step + 1) / (step + 10))
    for a, b in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
        if a.is_floating_point():
            a.lerp_(b, 1 - decay)
        else:
            a.copy_(b)


class Run:
    """The state of one training run: what a checkpoint holds."""

    def __init__(self, args: Args) -> None:
        self.args, self.step, self.seconds, self.history = args, 0, 0.0, list[dict[str, float]]()
        torch.manual_seed(args.seed)
        self.net = nets.build(args.net, hatch=args.hatch).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if args.init is not None:
            start(self.net, checkpoint.load(args.init)["ema"], args.init)
        self.average = copy.deepcopy(self.net).eval()
        self.optimiser = torch.optim.AdamW(self.net.parameters(), args.lr, (0.9, 0.99), weight_decay=args.weight_decay)

    def save(self) -> None:
        """OUT/checkpoint.pt and OUT/history.json, each whole or not at all."""
        kept = {k: str(v) if isinstance(v, Path) else v for k, v in asdict(self.args).items()}
        state = {
            "args": kept, "step": self.step, "seconds": self.seconds, "history": self.history,
            "net": self.net.state_dict(), "ema": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(), "rng": torch.get_rng_state(),
        }  # fmt: skip
        checkpoint.save(self.args.out / "checkpoint.pt", state)
        checkpoint.write_text(self.args.out / "history.json", json.dumps(self.history, indent=1))

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where ``save`` left off."""
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["ema"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.seconds, self.history = state["step"], state["seconds"], state["history"]
        torch.set_rng_state(state["rng"])

    def update(self, batch: Batch) -> dict[str, float]:
        """One optimiser step; returns the terms of the loss."""
        args = self.args
        for group in self.optimiser.param_groups:
            group["lr"] = rate(self.step, progress(self.step, self.seconds, args), args)
        count = len(batch.photos)
        photos = batch.photos
        if args.still:
            photos = torch.cat([photos, next_frame(photos[: count // 2])])
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
            logits = self.net(photos.to(memory_format=torch.channels_last)).float()
        terms = losses(logits[:count], batch, args)
        if args.still:
            now, after = nets.drawing(logits[: count // 2]), nets.drawing(logits[count:])
            terms["still"] = args.still * (after - now).abs().mean()
        total = torch.stack(list(terms.values())).sum()
        self.optimiser.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimiser.step()
        follow(self.average, self.net, args.ema, self.step)
        self.step += 1
        return {"total": float(total.detach())} | {k: float(v.detach()) for k, v in terms.items()}


def start(net: MUNet, weights: dict[str, Tensor], source: Path) -> None:
    """Take every weight of the same name and shape; the drawing head differs between ink and wash."""
    own = net.state_dict()
    same = {k: v for k, v in weights.items() if k in own and own[k].shape == v.shape}
    if len(same) < len(own) // 2:
        raise BadInput(f"checkpoint {source} is of another net: only {len(same)} of {len(own)} weights fit")
    net.load_state_dict(same, strict=False)


@torch.no_grad()
def validate(average: MUNet, pairs: data.Pairs, count: int = 32) -> dict[str, float]:
    """PSNR, MS-SSIM and matte IoU on fixed degraded photos of people not trained on."""
    picks = list(range(min(count, len(pairs.images))))
    outs, targets, mattes, persons = [], [], [], []
    for n in range(0, len(picks), 8):
        part = data.batch(pairs, picks[n : n + 8], [[7, p] for p in picks[n : n + 8]])
        logits = average(part.photos.to(memory_format=torch.channels_last))
        outs.append(nets.drawing(logits).clamp(0, 1))
        mattes.append(nets.matte(logits).clamp(0, 1))
        targets.append(part.drawings)
        persons.append(part.mattes)
    out, target = torch.cat(outs), torch.cat(targets)
    return {
        "psnr": metrics.psnr(out, target), "ms_ssim": float(metrics.similarity(out, target)),
        "matte_iou": metrics.overlap(torch.cat(mattes), torch.cat(persons)),
    }  # fmt: skip


def begin(args: Args) -> Run:
    """A new run, or the one in OUT where --resume says so. Raises BadInput where the arguments cannot work."""
    if args.net not in nets.NETS:
        raise BadInput(f"there is no net {args.net!r}; choose from {', '.join(nets.NETS)}")
    if args.steps < 1 or args.batch < 1 or args.every < 1 or (args.max_minutes is not None and args.max_minutes <= 0):
        raise BadInput("--steps, --batch, --every and --max-minutes must be above 0")
    state = checkpoint.load(args.out / "checkpoint.pt") if args.resume else None
    if state is not None:
        same = {k: state["args"][k] for k in ("net", "hatch", "batch", "seed", "lr", "warmup", "ema")}
        args = replace(args, init=None, **same)
    run = Run(args)
    if state is not None:
        run.restore(state)
    return run


def train(args: Args) -> Run:
    """Train until --steps or --max-minutes. On Ctrl-C the checkpoint is saved before KeyboardInterrupt goes on."""
    run = begin(args)
    args = run.args
    if args.threads:
        torch.set_num_threads(args.threads)
    pairs, held_out = data.load(args.pairs, "train"), data.load(args.pairs, "val")
    sums: dict[str, float] = defaultdict(float)
    before, since, tally = run.seconds, time.monotonic(), 0
    bar = tqdm(total=args.steps, initial=run.step, desc="paired", unit="step", smoothing=0.02)
    try:
        with closing(data.batches(pairs, args.batch, args.seed, run.step)) as stream:
            while progress(run.step, run.seconds, args) < 1:
                for name, value in run.update(next(stream)).items():
                    sums[name] += value
                run.seconds = before + time.monotonic() - since
                tally += 1
                bar.update()
                over = progress(run.step, run.seconds, args) >= 1
                if run.step % args.every and not over:
                    continue
                row = {k: v / tally for k, v in sums.items()} | validate(run.average, held_out)
                run.history.append({"step": run.step, "minutes": run.seconds / 60} | row)
                sums.clear()
                tally = 0
                bar.set_postfix({k: f"{row[k]:.3f}" for k in ("total", "ms_ssim", "matte_iou")})
                run.save()
                sheet.write(args.out / f"sheet_{run.step:06d}.png", run.average, held_out)
    except KeyboardInterrupt:
        run.save()
        print(f"\nstopped at step {run.step}; go on with --resume")
        raise
    finally:
        bar.close()
    print(f"{run.step} steps in {run.seconds / 60:.1f} min -> {args.out / 'checkpoint.pt'}")
    return run
