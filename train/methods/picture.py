"""Learn to draw whole pictures as a teacher does, from pairs of pictures; better than it does where photos are bad.

Chen, Xu, Koltun: "Fast Image Processing with Fully-Convolutional Networks" (ICCV 2017): compact networks learn such
operators from what they made. The difference of the luma holds the picture in place, that of its gradients and SSIM
(Zhao et al., IEEE TCI 2017) keep strokes crisp, those of means over 2, 4 and 8 px keep tone where strokes cannot be
placed, that of the chroma keeps colours. A stroke that is missing costs more than one too many: the median of where
strokes may be is bare paper. Every crop is seen twice, moved by whole px and through another bad camera: both drawings
have to be the teacher's, and each other's.
After the pairs are read everything happens on the device: crops, light, camera, loss.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its name everywhere

from foundation.errors import UsageError
from streamtoon.types import U8
from train import networks
from train.data import batches, picture_pairs
from train.data.degrade_batch import Dice, degrade
from train.evaluation import metrics
from train.methods import paired
from train.networks import munet, picture
from train.run import checkpoint, loop, sample_sheet
from train.tones import stepped

FREE: Final = (
    1000  # steps until BatchNorm's statistics are frozen: with each batch's own a net draws bolder than without
)
SHIFT: Final = 16  # px, at the drawn size, by which the second look at a crop is moved at most
EXTREME: Final = 0.02  # nearer to black or white is black or white
BEYOND: Final = 0.08  # how far beyond them luma may go
SMALL: Final = 0.06  # difference of luma that nearly nobody sees
HELD_OUT: Final = 24  # pictures that are measured on
SHOWN: Final = 6  # pictures of the sheet
Picture = tuple[Tensor, Tensor]  # a photo and its drawing, (h, w, 3) uint8 RGB each, on the device


@dataclass
class Args(loop.Args):
    """Pairs of whole pictures -> checkpoint. Stops at --steps or --max-minutes; Ctrl-C saves and stops."""

    pairs: Path
    """folder that `picture-pairs` wrote"""
    net: str = "picture24"
    """picture24, picture16 or picture32"""
    light: float = 0.06
    """how far a camera's light is off, 1 is any room; a net that draws tones cannot know it: more for lines on paper"""
    tones: int = 0
    """draw luma in so many tones, those of the teacher (`comic`: 7); 0: in all of them"""
    init: Path | None = None
    """checkpoint to start the weights from"""
    steps: int = 100_000
    """optimiser steps; the learning rate ends at zero there or at --max-minutes"""
    every: int = field(default=1000, kw_only=True)
    """steps between checkpoints, validations and sample sheets"""
    batch: int = 8
    """pictures a step, a crop of each seen twice"""
    crop: int = 256
    """side of a crop in px at the drawn size"""
    lr: float = 2e-3
    """highest learning rate"""
    warmup: int = 100
    """steps up to it"""
    weight_decay: float = 1e-4
    """AdamW's"""
    edges: float = 1.0
    """weight of the luma's gradients"""
    similar: float = 0.5
    """weight of 1 - SSIM"""
    tone: float = 0.5
    """weight of the luma's means over 2, 4 and 8 px, each"""
    colour: float = 1.5
    """weight of the chroma's L1; 0 where drawings are grey"""
    bold: float = 2.0
    """how much more luma costs that is too light than luma that is too dark, 1 is neither"""
    still: float = 0.3
    """weight of the difference of two drawings of the same, seen twice"""
    ema: float = 0.999
    """decay of the moving average of the weights"""


def losses(drawn: tuple[Tensor, Tensor], wanted: tuple[Tensor, Tensor], args: Args) -> dict[str, Tensor]:
    """The named terms of the loss, weighted. Planes as the network gives them, float32."""
    (luma, chroma), (target, colours) = drawn, wanted
    off = luma - reached(luma, target)
    pixel = torch.where(off > 0, args.bold * matters(off), matters(off)).mean() * 2 / (1 + args.bold)
    terms = {"pixel": pixel, "colour": args.colour * (chroma - colours).abs().mean()}
    terms["edges"] = args.edges * torch.stack([matters(off.diff(dim=d)).mean() for d in (2, 3)]).sum()
    means = list(itertools.accumulate(range(3), lambda x, _: F.avg_pool2d(x, 2), initial=off))[1:]
    terms["tone"] = args.tone * torch.stack([matters(mean).mean() for mean in means]).sum()
    terms["similar"] = args.similar * (1 - paired.fast_ssim(luma.clamp(0, 1), target, 6, 2))
    return terms


def matters(off: Tensor) -> Tensor:
    """|off|, but less than that below SMALL (Huber): else the grain that is nearly everywhere outweighs the strokes."""
    return F.smooth_l1_loss(off, torch.zeros_like(off), reduction="none", beta=SMALL)


def reached(luma: Tensor, target: Tensor) -> Tensor:
    """What is wanted of every pixel: the target, or the luma itself where it is a little beyond a black or a white.

    It is cut off there at last, so that solid ink and clean paper need no exact value. Further beyond, sub-pixels that
    share their features would be black together.
    """
    low = torch.where(target < EXTREME, -BEYOND, target)
    high = torch.where(target > 1 - EXTREME, 1 + BEYOND, target)
    return luma.detach().clamp(low, high)


def apart(planes: Tensor, moved: tuple[int, int]) -> Tensor:
    """How far the first half of a batch is from the second, the same pictures ``moved`` by (down, right) px."""
    first, second = planes.chunk(2)
    for dim, by in zip((2, 3), moved, strict=True):
        length = planes.shape[dim] - abs(by)
        first, second = first.narrow(dim, max(by, 0), length), second.narrow(dim, max(-by, 0), length)
    return (first - second).abs().mean()


class Run(loop.Run):
    """A network, its moving average, AdamW."""

    best_by, higher_is_better = "ssim", True

    def __init__(self, args: Args) -> None:
        super().__init__(args)
        self.steps = args.steps
        self.pairs, self.held_out = (self.read(split) for split in ("train", "val"))
        torch.manual_seed(args.seed)
        net: Any = networks.build(args.net)
        if args.init is not None and not args.resume:
            loop.start(net, checkpoint.load(args.init)["ema"], args.init)
        self.net = net.to(self.device, memory_format=torch.channels_last)
        self.average = loop.averaged(self.net)
        gpu = self.device.type == "cuda"
        torch.backends.cudnn.benchmark = gpu  # every step has the same shapes
        self.optimiser = torch.optim.AdamW(
            self.net.parameters(), args.lr, (0.9, 0.99), weight_decay=args.weight_decay, fused=gpu
        )
        self.parts = {"net": self.net, "ema": self.average, "optimiser": self.optimiser}

    def settings(self) -> dict[str, Any]:
        """The arguments, and what export must know."""
        return super().settings() | {"method": "picture"}

    def read(self, split: str) -> list[Picture]:
        """The pictures of a split on the device, small ones continued by their mirror image."""
        side, kept = self.args.crop + SHIFT, []
        for photo, drawing in picture_pairs.load(self.args.pairs, split):
            h, w = (max(0, side - n) for n in photo.shape[:2])
            more = ((0, h), (0, w), (0, 0))
            whole = [np.pad(p, more, mode="symmetric") if h or w else p for p in (photo, drawing)]
            kept.append((torch.from_numpy(whole[0]).to(self.device), torch.from_numpy(whole[1]).to(self.device)))
        return kept

    def update(self, batch: list[int]) -> dict[str, Tensor]:
        """One optimiser step on crops of these pictures; returns the terms of the loss."""
        args, rng = self.args, np.random.default_rng([self.args.seed, self.rank, self.step])
        if args.init is not None or self.step >= FREE:
            munet.freeze_statistics(self.net)
        for group in self.optimiser.param_groups:
            group["lr"] = paired.learning_rate(self.step, self.progress(), args)
        places = [(self.pairs[n], rng.random(2)) for n in batch]
        photos, drawings = cut(places, args.crop + SHIFT)
        dice = Dice(len(batch), self.device)
        turned = dice.uniform(0, 1) < 0.5
        both = torch.cat([photos, drawings], dim=2)
        both = torch.where(turned, both.flip(3), both)
        photos, drawings = both.chunk(2, dim=2)
        looks = rng.integers(0, SHIFT + 1, (2, 2)).tolist()
        photos, drawings = (
            torch.cat([x[:, :, y : y + args.crop, x0 : x0 + args.crop] for y, x0 in looks]) for x in (photos, drawings)
        )
        seen = degrade(Dice(len(photos), self.device), photos, args.light)
        luma, chroma = self.draw(self.net, seen)
        terms = losses((luma, chroma), picture.to_planes(drawings), args)
        moved = looks[1][0] - looks[0][0], looks[1][1] - looks[0][1]
        terms["still"] = args.still * apart(luma.clamp(0, 1), moved)
        if args.colour:
            terms["still"] += args.still * apart(F.interpolate(chroma, scale_factor=2.0, mode="bilinear"), moved)
        total = torch.stack(list(terms.values())).sum()
        self.descend(total, self.optimiser)
        loop.update_ema(self.average, self.net, args.ema, self.step)
        return {"total": total.detach()} | {k: v.detach() for k, v in terms.items()}

    def draw(self, net: Any, seen: Tensor) -> tuple[Tensor, Tensor]:
        """The planes a network draws of (N, 3, h, w), float32."""
        with self.autocast():
            luma, chroma = net(seen.contiguous(memory_format=torch.channels_last))
        return stepped(luma.float(), self.args.tones), chroma.float()

    def held(self, count: int) -> tuple[Tensor, Tensor]:
        """The middles of held-out photos and drawings, (N, 3, crop, crop) 0..1."""
        pick = self.held_out[:: max(1, len(self.held_out) // count)][:count]
        return cut([(pair, np.array([0.5, 0.5])) for pair in pick], self.args.crop)

    def dice(self, count: int) -> Dice:
        """For faults that are the same every time."""
        return Dice(count, self.device, torch.Generator(self.device).manual_seed(7))

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """PSNR and SSIM of the luma of people not trained on, through a bad camera; flicker of two such looks."""
        photos, drawings = self.held(HELD_OUT)
        twice = degrade(self.dice(2 * len(photos)), torch.cat([photos, photos]), self.args.light)
        luma = torch.cat([self.draw(self.average, part)[0] for part in torch.split(twice, 8)]).clamp(0, 1)
        out, target = luma[: len(photos)], picture.to_planes(drawings)[0]
        return {
            "psnr": metrics.psnr(out, target), "ssim": metrics.ssim(out, target),
            "flicker": 255 * float(apart(luma, (0, 0))),
        }  # fmt: skip

    @torch.no_grad()
    def sheet(self) -> U8:
        """Held-out people: photo, teacher, net of the photo, photo through a bad camera, net of that."""
        photos, drawings = self.held(SHOWN)
        clean, bad = F.avg_pool2d(photos, 2), degrade(self.dice(len(photos)), photos, self.args.light)
        rows = [
            photos, drawings, picture.to_rgb(*self.draw(self.average, clean)), F.interpolate(bad, scale_factor=2.0),
            picture.to_rgb(*self.draw(self.average, bad)),
        ]  # fmt: skip
        return sample_sheet.tile([sample_sheet.to_u8(row * 2 - 1) for row in rows])


def cut(places: list[tuple[Picture, Any]], side: int) -> tuple[Tensor, Tensor]:
    """Squares of photos and their drawings, (N, 3, side, side) 0..1; places (down, right) from 0 to 1, 1 left out."""
    cuts: tuple[list[Tensor], list[Tensor]] = ([], [])
    for pair, (down, right) in places:
        h, w = pair[0].shape[:2]
        y, x = int(down * (h - side + 1)), int(right * (w - side + 1))
        for kept, one in zip(cuts, pair, strict=True):
            kept.append(one[y : y + side, x : x + side])
    photos, drawings = (torch.stack(kept).permute(0, 3, 1, 2).float() / 255 for kept in cuts)
    return photos, drawings


def begin(args: Args) -> Run:
    """A new run, or the one in OUT where --resume says so. Raises UsageError where the arguments cannot work."""
    args, state = loop.resumed(args, "picture", {"pairs", "steps"})
    if args.net not in networks.PICTURE_WIDTHS:
        raise UsageError(f"there is no net {args.net!r}; choose from {', '.join(networks.PICTURE_WIDTHS)}")
    loop.check(args, steps=args.steps, batch=args.batch, crop=args.crop)
    if args.crop % 32:
        raise UsageError(f"--crop is {args.crop}; it must be a multiple of 32")
    run = Run(args)
    return run if state is None else run.restore(state)


def train(args: Args) -> Run:
    """Train until --steps or --max-minutes. On Ctrl-C the checkpoint is saved before KeyboardInterrupt goes on."""
    run = begin(args)
    return run.train(picks(run))


def picks(run: Run) -> Generator[list[int]]:
    """Which pictures this process takes in each step from the run's on."""
    args, ranks = run.args, run.accelerator.num_processes
    for step in itertools.count(run.step):
        first = (step * ranks + run.rank) * args.batch
        yield batches.picks(args.seed, range(first, first + args.batch), len(run.pairs))
