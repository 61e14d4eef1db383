"""Learn to draw like the teacher from pairs, and better than it on bad pictures: degraded photo in, clean drawing out.

L1 and structural similarity together, as in Zhao et al., "Loss Functions for Image Restoration" (IEEE TCI 2017); the L1
of gradients keeps strokes crisp, the L1 of 8 px means keeps tone where strokes cannot be placed. The matte learns by
cross-entropy. AdamW, cosine to zero, an exponential moving average of the weights is what gets exported.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its name everywhere

from foundation.errors import UsageError
from streamtoon.types import U8
from train import networks
from train.data import batches as data
from train.data.batches import Batch
from train.evaluation import metrics
from train.networks import munet
from train.run import checkpoint, loop, sample_sheet
from train.style_folder import load_weights


@dataclass
class Args(loop.Args):
    """Pairs -> checkpoint. Stops at --steps or --max-minutes, whichever comes first; Ctrl-C saves and stops."""

    pairs: Path
    """folder that `pairs` wrote"""
    net: str = "munet24"
    """munet24, munet32 or munet16"""
    hatch: bool = True
    """give the net the hatch texture; without it the drawing is a soft wash"""
    init: Path | None = None
    """checkpoint or style folder to start the weights from"""
    steps: int = 20000
    """optimiser steps; the learning rate ends at zero there or at --max-minutes"""
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


def losses(logits: Tensor, batch: Batch, args: Args) -> dict[str, Tensor]:
    """The named terms of the loss, weighted. logits (N, 2, h, w) float32."""
    out, target = munet.drawing(logits), batch.drawings
    weight = (0.5 + batch.mattes) * face_weight(out.shape[-1], args.face).to(
        out.device
    )  # the person counts thrice what is behind
    terms = {"pixel": ((out - target).abs() * weight).mean()}
    if args.similar:
        halves = F.avg_pool2d(out, 2), F.avg_pool2d(target, 2)
        terms["similar"] = args.similar * (1 - (fast_ssim(out, target, 6, 2) + fast_ssim(*halves, 8, 4)) / 2)
    if args.edges:
        terms["edges"] = args.edges * sum(((out.diff(dim=d)) - target.diff(dim=d)).abs().mean() for d in (2, 3))  # type: ignore[assignment]
    if args.tone:
        terms["tone"] = args.tone * (F.avg_pool2d(out, 8, 4) - F.avg_pool2d(target, 8, 4)).abs().mean()
    terms["matte"] = args.matte * F.binary_cross_entropy_with_logits(logits[:, munet.MATTE_HEAD :], batch.mattes)
    return terms


def next_frame(photos: Tensor) -> Tensor:
    """(N, 3, h, w) photos as a camera would see them a moment later: moved by up to 2 px, other light, other noise."""
    n, _, h, _ = photos.shape
    turn = torch.eye(2).expand(n, 2, 2) + torch.randn(n, 2, 2) * 0.006  # made on the CPU: the same everywhere
    shift = torch.rand(n, 2, 1) * (8 / h) - 4 / h  # in halves of the side
    grid = F.affine_grid(torch.cat([turn, shift], dim=2), list(photos.shape), align_corners=False).to(photos.device)
    moved = F.grid_sample(photos, grid, padding_mode="border", align_corners=False)
    strength = torch.rand(2, n, 1, 1, 1)
    light = F.interpolate(torch.randn(n, 1, 6, 6), size=(h, h), mode="bilinear")
    grain = (
        F.interpolate(torch.randn(n, 3, h // 2, h // 2), size=(h, h), mode="bilinear") + torch.randn(photos.shape) / 2
    )
    return moved + (0.05 * strength[0] * light + 0.06 * strength[1] * grain).to(photos.device)


def face_weight(size: int, extra: float) -> Tensor:
    """(size, size) weights: 1, and ``extra`` more in the middle, where an aligned crop has eyes and mouth."""
    y, x = torch.meshgrid(torch.arange(size) / size, torch.arange(size) / size, indexing="ij")
    return 1 + extra * torch.exp(-(((x - 0.5) / 0.20) ** 2) - ((y - 0.5) / 0.20) ** 2)


def fast_ssim(a: Tensor, b: Tensor, window: int, stride: int) -> Tensor:
    """Mean SSIM (Wang et al. 2004, eq. 13) of (N, 1, h, w) over square windows, a multiple of the stride, every stride.

    The libraries' Gaussian windows at every pixel took longer than the network; metrics.py reports those.
    """
    tiles = F.avg_pool2d(torch.cat([a, b, a * a, b * b, a * b], dim=1), stride)
    means = F.avg_pool2d(tiles, window // stride, 1)
    ma, mb, aa, bb, ab = means.unbind(dim=1)
    spread, both = aa + bb - ma * ma - mb * mb, ab - ma * mb
    value = (2 * ma * mb + 1e-4) * (2 * both + 9e-4) / ((ma * ma + mb * mb + 1e-4) * (spread + 9e-4))
    return value.mean()


def learning_rate(step: int, done: float, args: Args) -> float:
    """Learning rate: linear warm-up, then half a cosine down to zero (Loshchilov and Hutter 2017)."""
    return args.lr * min(1.0, (step + 1) / max(args.warmup, 1)) * 0.5 * (1 + math.cos(math.pi * done))


class Run(loop.Run):
    """A generator, its moving average, AdamW."""

    best_by, higher_is_better = "ms_ssim", True

    def __init__(self, args: Args, pairs: data.Pairs, held_out: data.Pairs) -> None:
        super().__init__(args)
        self.steps = args.steps
        self.pairs, self.held_out = pairs, held_out
        torch.manual_seed(args.seed)
        self.net = networks.build(args.net, hatch=args.hatch).to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if args.init is not None:
            photos = data.batch(pairs, list(range(len(pairs.images)))[:32], None).photos
            loop.start(self.net, load_weights.start(args.init, photos)["ema"], args.init)
        self.average = loop.averaged(self.net)
        self.optimiser = torch.optim.AdamW(self.net.parameters(), args.lr, (0.9, 0.99), weight_decay=args.weight_decay)
        self.parts = {"net": self.net, "ema": self.average, "optimiser": self.optimiser}

    def update(self, batch: Batch) -> dict[str, Tensor]:
        """One optimiser step; returns the terms of the loss."""
        args, batch = self.args, batch.to(self.device)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.step, self.progress(), args)
        count = len(batch.photos)
        photos = batch.photos
        if args.still:
            photos = torch.cat([photos, next_frame(photos[: count // 2])])
        with self.autocast():
            logits = self.net(photos.to(memory_format=torch.channels_last)).float()
        terms = losses(logits[:count], batch, args)
        if args.still:
            now, after = munet.drawing(logits[: count // 2]), munet.drawing(logits[count:])
            terms["still"] = args.still * (after - now).abs().mean()
        total = torch.stack(list(terms.values())).sum()
        self.descend(total, self.optimiser)
        loop.update_ema(self.average, self.net, args.ema, self.step)
        return {"total": total.detach()} | {k: v.detach() for k, v in terms.items()}

    def validate(self) -> dict[str, float]:
        """PSNR, MS-SSIM and matte IoU of people not trained on; MS-SSIM of as many trained on tells overfitting."""
        seen = measured(self.average, self.pairs, self.device, min(32, len(self.held_out.images)))
        return measured(self.average, self.held_out, self.device) | {"ms_ssim_train": seen["ms_ssim"]}

    def sheet(self) -> U8:
        """Held-out people: degraded photo, drawing, drawing on paper by the net's matte, teacher."""
        return sample_sheet.samples(self.average, self.held_out)


@torch.no_grad()
def measured(average: torch.nn.Module, pairs: data.Pairs, device: torch.device, count: int = 32) -> dict[str, float]:
    """PSNR, MS-SSIM and matte IoU on the first pairs, always degraded the same way."""
    picks = list(range(min(count, len(pairs.images))))
    outs, targets, mattes, persons = [], [], [], []
    for n in range(0, len(picks), 8):
        part = data.batch(pairs, picks[n : n + 8], [[7, p] for p in picks[n : n + 8]])
        logits = average(part.photos.to(device, memory_format=torch.channels_last)).cpu()
        outs.append(munet.drawing(logits).clamp(0, 1))
        mattes.append(munet.matte(logits).clamp(0, 1))
        targets.append(part.drawings)
        persons.append(part.mattes)
    out, target = torch.cat(outs), torch.cat(targets)
    return {
        "psnr": metrics.psnr(out, target), "ms_ssim": float(metrics.similarity(out, target)),
        "matte_iou": metrics.overlap(torch.cat(mattes), torch.cat(persons)),
    }  # fmt: skip


def check(args: Args) -> None:
    """Raise UsageError where the arguments cannot work."""
    if args.net not in networks.COMPACT_WIDTHS:
        raise UsageError(f"there is no net {args.net!r}; choose from {', '.join(networks.COMPACT_WIDTHS)}")
    loop.check(args, steps=args.steps, batch=args.batch)


def begin(args: Args) -> Run:
    """A new run, or the one in OUT where --resume says so. Raises UsageError where the arguments cannot work."""
    check(args)
    state = checkpoint.load(args.out / "checkpoint.pt") if args.resume else None
    if state is not None:
        same = {k: state["args"][k] for k in ("net", "hatch", "batch", "seed", "lr", "warmup", "ema")}
        args = replace(args, init=None, **same)
    run = Run(args, data.load(args.pairs, "train"), data.load(args.pairs, "val"))
    return run if state is None else run.restore(state)


def batches(run: Run) -> Generator[Batch]:
    """This process's batches from the run's step on."""
    args, ranks, total = run.args, run.accelerator.num_processes, len(run.pairs.images)

    def make(step: int) -> Batch:
        first = (step * ranks + run.rank) * args.batch
        places = range(first, first + args.batch)
        return data.batch(run.pairs, data.picks(args.seed, places, total), [[args.seed, p] for p in places])

    return data.ahead(make, run.step)


def train(args: Args) -> Run:
    """Train until --steps or --max-minutes. On Ctrl-C the checkpoint is saved before KeyboardInterrupt goes on."""
    run = begin(args)
    return run.train(batches(run))
