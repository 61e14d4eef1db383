"""From the teacher's strokes to an engraver's: training goes on, and a discriminator that knows engravings joins.

Engravers leave no surface solid: where the teacher's drawing is black, its strokes go on as dense cross-hatching with
paper between them (``with_open_blacks``). The discriminator (34 px patches, as in cyclegan.py) compares drawings of
people with engravings of other people, sitter against sitter on white paper (``prepare --drawn``); its weight is cut
where the drawing is light, so that skin keeps its hatching while hair and cloth get organic strokes. Tone is held at
two scales: alone, a discriminator would trade hatching for a dither grid and, since 19th-century sitters are bearded,
draw beards. It sees no geometry beyond a patch and no face's tone: beards would have to pass the tone terms.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its name everywhere

from foundation.errors import UsageError
from train.data import batches, pictures
from train.data.batches import Batch
from train.data.pictures import Pictures
from train.data.prepare import CROP_PX
from train.evaluation import features
from train.evaluation.features import SqueezeNet
from train.methods import paired
from train.networks import munet
from train.networks.discriminator import Patch, least_squares
from train.run import checkpoint, loop
from train.teachers import ink

SEEN_WINDOW_PX: Final = (
    160  # side of the part of a crop that the discriminator sees of a step, px: patches are 34 px wide
)


@dataclass(kw_only=True)
class Args(paired.Args):
    """Pairs, real drawings and a net that draws -> checkpoint. ``--init``: what `paired` wrote, or a style folder."""

    drawings: Path
    """folder of real engravings: face crops of one size"""
    gan: float = 2.0
    """weight of the discriminator"""
    spare: float = 0.75
    """how much of its say is cut where the teacher's drawing is white"""
    strokes: float = 6.0
    """weight of the teacher's strokes, thrice as much where its drawing is light as where it is dark"""
    black: float = 0.78
    """ink where the teacher's drawing is solid black, as dense cross-hatching"""
    fine: float = 2.0
    """weight of tone over 5 px"""
    broad: float = 6.0
    """weight of tone over 17 px"""
    lr: float = 6e-4
    """highest learning rate of the generator"""
    lr_judge: float = 5e-4
    """learning rate of the discriminator"""
    matte: float = 1.5
    """weight of the matte's cross-entropy"""
    still: float = 0.3
    """weight of the change of a drawing when its photo moves, brightens and grains as from one frame to the next"""
    squeezenet: Path | None = None
    """weights of SqueezeNet 1.0 (.npz), for the held-out figures"""


class Run(paired.Run):
    """What ``paired`` has, a discriminator and its optimiser. The best is nearest to the real drawings."""

    best_by, higher_is_better = "kernel", False

    def __init__(
        self, args: Args, pairs: batches.Pairs, held_out: batches.Pairs, drawings: tuple[Pictures, Pictures]
    ) -> None:
        super().__init__(args, pairs, held_out)
        self.drawings = drawings
        self.discriminator = Patch(1, 32, 2, spectral=True).to(self.device)
        self.discriminator_optimiser = torch.optim.Adam(self.discriminator.parameters(), args.lr_judge, (0.5, 0.999))
        self.parts |= {"judge": self.discriminator, "judges": self.discriminator_optimiser}
        dense = ink.strokes(
            np.full((ink.SUPERSAMPLING * CROP_PX, ink.SUPERSAMPLING * CROP_PX), args.black, np.float32), CROP_PX
        )
        self.gaps = 1 - F.avg_pool2d(torch.from_numpy(dense)[None, None], ink.SUPERSAMPLING).to(self.device)
        self.features = SqueezeNet(args.squeezenet).to(self.device)

    def _engravings(self, count: int) -> Tensor:
        """(count, 1, h, w) in 0..1: real drawings as other crops of them, paper levelled to white."""
        rng = np.random.default_rng([self.args.seed, self.rank, self.step, 1])
        picks = rng.integers(0, len(self.drawings[0].images), count)
        shown = np.stack([pictures.shaken(rng, self.drawings[0], 256, int(n), turned=True) for n in picks])
        return with_white_paper(batches.to_tensor(shown)).to(self.device)

    def update(self, batch: Batch) -> dict[str, Tensor]:
        """One step of the generator, then one of the discriminator."""
        args, batch = self.args, batch.to(self.device)
        for group in self.optimiser.param_groups:
            group["lr"] = paired.learning_rate(self.step, self.progress(), args)
        count, half = len(batch.photos), len(batch.photos) // 2
        photos = torch.cat([batch.photos, paired.next_frame(batch.photos[:half])])
        with self.autocast():
            logits = self.net(photos.to(memory_format=torch.channels_last)).float()
        out, person = munet.drawing(logits[:count]), batch.mattes
        target = with_open_blacks(batch.drawings, self.gaps)
        light = F.avg_pool2d(target, 17, 1, 8)  # how light the teacher's drawing is around here
        top, left = (int(n) for n in torch.randint(0, out.shape[-1] - SEEN_WINDOW_PX + 1, (2,)))
        window = (..., slice(top, top + SEEN_WINDOW_PX), slice(left, left + SEEN_WINDOW_PX))
        sheet = (out * person + (1 - person))[window]
        contrast = 0.8 + 0.4 * torch.rand(count, 1, 1, 1, device=self.device)  # the same for real and made
        self.discriminator.requires_grad_(requires_grad=False)
        with self.autocast():
            realness = self.discriminator(1 - 2 * (1 - sheet) * contrast).float()
        say = 1 - args.spare * F.adaptive_avg_pool2d((light * person)[window], realness.shape[2:])
        weight = (0.5 + person) * paired.face_weight(out.shape[-1], args.face).to(self.device)
        terms = {
            "gan": args.gan * ((realness - 1).square() * say).mean(),
            "strokes": args.strokes * ((out - target).abs() * weight * (0.5 + light)).mean(),
            "fine": args.fine * F.l1_loss(F.avg_pool2d(out, 5, 2), F.avg_pool2d(target, 5, 2)),
            "broad": args.broad * F.l1_loss(F.avg_pool2d(out, 17, 4), F.avg_pool2d(target, 17, 4)),
            "matte": args.matte * F.binary_cross_entropy_with_logits(logits[:count, munet.MATTE_HEAD :], person),
            "still": args.still * (munet.drawing(logits[count:]) - out[:half]).abs().mean(),
        }
        total = torch.stack(list(terms.values())).sum()
        self.descend(total, self.optimiser)
        loop.update_ema(self.average, self.net, args.ema, self.step)
        self.discriminator.requires_grad_(requires_grad=True)
        with self.autocast():
            real = self.discriminator(1 - 2 * (1 - self._engravings(count)[window]) * contrast)
            made = self.discriminator(1 - 2 * (1 - sheet.detach()) * contrast)
            terms["judge"] = (least_squares(real, 1.0) + least_squares(made, 0.0)) / 2
        self.descend(terms["judge"], self.discriminator_optimiser)
        return {"total": total.detach()} | {k: v.detach() for k, v in terms.items()}

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """As ``paired``, and how far from, how varied beside and how copied from real drawings, as in cyclegan.py."""
        part = batches.batch(self.held_out, list(range(min(32, len(self.held_out.images)))), None)
        shown = [munet.drawing(self.average(x.to(self.device))).cpu().clamp(0, 1) for x in torch.split(part.photos, 8)]
        sheet = (torch.cat(shown) * part.mattes + 1 - part.mattes).expand(-1, 3, -1, -1) * 2 - 1
        known, new = (
            features.embed(self.features, with_white_paper(pictures_of(d, 64)).expand(-1, 3, -1, -1) * 2 - 1)
            for d in self.drawings
        )
        ours = features.embed(self.features, sheet)
        return super().validate() | {
            "kernel": features.kernel(ours, known),
            "variety": features.spread(ours) / max(features.spread(known), 1e-9),
            "copying": features.nearest(ours, known) / max(features.nearest(new, known), 1e-9),
        }


def with_open_blacks(drawings: Tensor, gaps: Tensor) -> Tensor:
    """(N, 1, h, w) drawings whose solid blacks become cross-hatching: paper shows through ``gaps`` (1, 1, h, w)."""
    solid = (F.avg_pool2d(1 - drawings, 9, 1, 4, count_include_pad=False) * 8 - 6.8).clamp(0, 1)
    return torch.maximum(drawings, gaps * solid)


def pictures_of(source: Pictures, count: int) -> Tensor:
    """The first pictures as they are, (N, 3, 256, 256) in [-1, 1]."""
    return batches.to_tensor(pictures.look(source, 256, list(range(len(source.images)))[:count]))


def with_white_paper(x: Tensor) -> Tensor:
    """(N, 3, h, w) in [-1, 1] -> (N, 1, h, w) in 0..1, grey, paper (the 80th percentile) brought to white."""
    grey = (x.mean(dim=1, keepdim=True) + 1) / 2
    paper = grey.flatten(1).quantile(0.8, dim=1).clamp(min=0.3).view(-1, 1, 1, 1)
    return (grey / paper).clamp(max=1)


def train(args: Args) -> Run:
    """Train until --steps or --max-minutes; Ctrl-C saves and stops."""
    state = checkpoint.load(args.out / "checkpoint.pt") if args.resume else None
    if state is not None:
        if "judge" not in state:
            raise UsageError(f"{args.out / 'checkpoint.pt'} is of another method; give its own --out")
        same = {k: state["args"][k] for k in ("net", "hatch", "batch", "seed", "lr", "warmup", "ema")}
        args = replace(args, init=None, **same)
    elif args.init is None:
        raise UsageError(
            "give --init, a checkpoint that `paired` wrote or a style folder: engraving starts from a net that draws"
        )
    paired.check(args)
    pairs, held_out = batches.load(args.pairs, "train"), batches.load(args.pairs, "val")
    run = Run(args, pairs, held_out, pictures.read(args.drawings, 256))
    if state is not None:
        run.restore(state)
    run.train(paired.batches(run))
    return run
