"""Photos and sketches of the same people -> one generator, photo to sketch or sketch to photo.

Isola, Zhu, Zhou, Efros: "Image-to-Image Translation with Conditional Adversarial Networks" (CVPR 2017): L1 holds the
picture in place, a discriminator that sees both the input and the output makes it sharp (equation 4), least squares as
in CycleGAN. Structural similarity, gradients and SqueezeNet features may be asked for beside them; the discriminator
joins after a fifth of the run, when there is something to sharpen. ``--gan 0`` with ``--net encdec`` is the plain
encoder/decoder. ``paired`` is for a teacher's drawings with mattes; this is for pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its name everywhere

from foundation.errors import UsageError
from streamtoon.types import U8
from train import networks
from train.data import batches, photo_files, pictures
from train.data.pictures import Pictures
from train.evaluation import features, metrics, sketch_pairs
from train.evaluation.features import SqueezeNet
from train.methods import paired
from train.networks import munet
from train.networks.discriminator import Patch, least_squares, same_change
from train.run import loop, sample_sheet

Pair = tuple[Tensor, Tensor]  # what is given, what is wanted: (N, 3, size, size) in [-1, 1] each


@dataclass
class Args(loop.Args):
    """A folder of photos/ and sketches/ with equal names -> checkpoint of one direction."""

    pairs: Path
    """folder of photos/ and sketches/ with equal names"""
    held_out: Path | None = None
    """folder of other pairs to validate on; all of --pairs are trained on then, else some of them are held out"""
    direction: Literal["to-drawing", "to-photo"] = "to-drawing"
    """which is given and which is wanted"""
    net: str = "munet24"
    """munet24, munet32, munet16, unet, encdec or resnet9"""
    size: int = 256
    """side of a crop in px; pictures are brought to it, whatever their shape"""
    epochs: int = 200
    """walks through the folder; the learning rate falls over the second half"""
    batch: int = 4
    """pairs a step"""
    lr: float = 1e-3
    """learning rate; 2e-4 in the paper"""
    pixel: float = 100.0
    """weight of L1"""
    similar: float = 10.0
    """weight of 1 - SSIM, at full and half size"""
    edges: float = 10.0
    """weight of the gradients' L1"""
    gan: float = 1.0
    """weight of the discriminator after the first fifth of the run; 0 leaves it out"""
    perceptual: float = 0.0
    """weight of the distance of SqueezeNet features (needs --squeezenet)"""
    squeezenet: Path | None = None
    """weights of SqueezeNet 1.0 (.npz)"""
    width: int = 16
    """filters of the discriminator's first layer; 64 in the paper"""
    layers: int = 2
    """its halvings: 2 judge patches of 34 px, 3 of 70 px (the paper)"""
    ema: float = 0.997
    """decay of the moving average of the weights"""


def read(args: Args) -> tuple[list[Pictures], list[Pictures]]:
    """[given, wanted] to train on, and held out (the ``val`` split). Raises UsageError where there are too few."""
    side, kept = round(args.size * pictures.STORED_ZOOM), dict[str, list[tuple[U8, U8]]](train=[], val=[], test=[])
    for name, pair in sketch_pairs.read(args.pairs).items():
        kept["train" if args.held_out else photo_files.split_of(name)].append(pair)
    if args.held_out:
        kept["val"] = list(sketch_pairs.read(args.held_out).values())
    while len(kept["val"]) < 2 and len(kept["train"]) > 1:  # the hash put nobody there: a small folder
        kept["val"].append(kept["train"].pop())
    if len(kept["train"]) < 2:
        raise UsageError(f"{args.pairs} holds {len(kept['train'])} pairs to train on; at least 2 are needed")
    ways = (0, 1) if args.direction == "to-drawing" else (1, 0)
    train, val = (
        [Pictures(sketch_pairs.resized([pair[n] for pair in kept[split]], (side, side)), 1.0) for n in ways]
        for split in ("train", "val")
    )
    return train, val


class Run(loop.Run):
    """A generator, its moving average, a discriminator, two optimisers."""

    best_by, higher_is_better = "ssim", True

    def __init__(self, args: Args) -> None:
        super().__init__(args)
        self.pairs, self.held_out = read(args)
        self.steps = -(-len(self.pairs[0].images) * args.epochs // (args.batch * self.accelerator.num_processes))
        torch.manual_seed(args.seed)
        hatch = args.direction == "to-drawing"
        self.net = networks.build(args.net, args.size, hatch=hatch, heads=3).to(self.device)
        self.average = loop.averaged(self.net)
        self.discriminator = Patch(6, args.width, args.layers, spectral=True).to(self.device)
        self.optimiser = torch.optim.Adam(self.net.parameters(), args.lr, (0.5, 0.999))
        self.discriminator_optimiser = torch.optim.Adam(self.discriminator.parameters(), args.lr / 2, (0.5, 0.999))
        self.parts = {
            "net": self.net, "ema": self.average, "judge": self.discriminator, "optimiser": self.optimiser,
            "judges": self.discriminator_optimiser,
        }  # fmt: skip
        self.features = SqueezeNet(args.squeezenet).to(self.device)

    def settings(self) -> dict[str, Any]:
        """The arguments, and what export must know."""
        return super().settings() | {"method": "pix2pix", "hatch": self.args.direction == "to-drawing"}

    def update(self, batch: Pair) -> dict[str, Tensor]:
        """One step of the generator, then, once it has joined, one of the discriminator."""
        args, done = self.args, self.progress()
        given, wanted = (x.to(self.device) for x in batch)
        for optimiser, rate in ((self.optimiser, args.lr), (self.discriminator_optimiser, args.lr / 2)):
            for group in optimiser.param_groups:
                group["lr"] = rate * min(1.0, 2 * (1 - done))
        joined, change = bool(args.gan) and done >= 0.2, same_change(len(given), self.device)
        with self.autocast():
            out = munet.picture(self.net(given).float())
        terms = {"pixel": args.pixel * F.l1_loss(out, wanted) / 2}  # the range is 2 here, 1 elsewhere
        one, two = ((x.flatten(0, 1)[:, None] + 1) / 2 for x in (out, wanted))
        if args.similar:
            halves = F.avg_pool2d(one, 2), F.avg_pool2d(two, 2)
            like = (paired.fast_ssim(one, two, 6, 2) + paired.fast_ssim(*halves, 8, 4)) / 2
            terms["similar"] = args.similar * (1 - like)
        if args.edges:
            rough = [(one.diff(dim=d) - two.diff(dim=d)).abs().mean() for d in (2, 3)]
            terms["edges"] = args.edges * (rough[0] + rough[1])
        if args.perceptual:
            terms["perceptual"] = args.perceptual * features.distance(self.features, out, wanted)
        terms["gan"] = torch.zeros((), device=self.device)
        if joined:
            self.discriminator.requires_grad_(requires_grad=False)
            with self.autocast():
                terms["gan"] = args.gan * least_squares(self.discriminator(change(torch.cat([given, out], dim=1))), 1.0)
        total = torch.stack(list(terms.values())).sum()
        self.descend(total, self.optimiser)
        loop.update_ema(self.average, self.net, args.ema, self.step)
        terms["judge"] = torch.zeros((), device=self.device)
        if joined:
            self.discriminator.requires_grad_(requires_grad=True)
            with self.autocast():
                real = least_squares(self.discriminator(change(torch.cat([given, wanted], dim=1))), 1.0)
                fake = least_squares(self.discriminator(change(torch.cat([given, out.detach()], dim=1))), 0.0)
                terms["judge"] = (real + fake) / 2
            self.descend(terms["judge"], self.discriminator_optimiser)
        return {"total": total.detach()} | {k: v.detach() for k, v in terms.items()}

    @torch.no_grad()
    def _drawn(self, pairs: list[Pictures], count: int) -> tuple[Tensor, Tensor, Tensor]:
        which = list(range(len(pairs[0].images)))[:count]
        given, wanted = (batches.to_tensor(pictures.look(p, self.args.size, which)) for p in pairs)
        parts = [munet.picture(self.average(x.to(self.device)).float()).cpu() for x in torch.split(given, 8)]
        return given, torch.cat(parts), wanted

    def validate(self) -> dict[str, float]:
        """PSNR and SSIM of pairs held out; SSIM and L1 of as many trained on tell overfitting."""
        _, out, wanted = self._drawn(self.held_out, 32)
        _, seen, known = self._drawn(self.pairs, len(out))
        a, b, c, d = ((x + 1) / 2 for x in (out, wanted, seen, known))
        return {
            "psnr": metrics.psnr(a, b), "ssim": metrics.ssim(a, b), "ssim_train": metrics.ssim(c, d),
            "l1_train": float(F.l1_loss(c, d)), "l1_val": float(F.l1_loss(a, b)),
        }  # fmt: skip

    def sheet(self) -> U8:
        """Held-out pairs: what is given, what is made, what is wanted."""
        return sample_sheet.tile([sample_sheet.to_u8(x) for x in self._drawn(self.held_out, 8)])


def begin(args: Args) -> Run:
    """A new run, or the one in OUT where --resume says so. Raises UsageError where the arguments cannot work."""
    args, state = loop.resumed(args, "pix2pix", {"pairs", "held_out", "squeezenet"})
    if args.net not in networks.NET_NAMES:
        raise UsageError(f"there is no net {args.net!r}; choose from {', '.join(networks.NET_NAMES)}")
    loop.check(args, epochs=args.epochs, batch=args.batch, size=args.size, width=args.width, layers=args.layers)
    if args.size % 64:
        raise UsageError(f"--size is {args.size}; it must be a multiple of 64")
    if args.perceptual and args.squeezenet is None:
        raise UsageError("--perceptual needs --squeezenet FILE, the weights of SqueezeNet 1.0")
    run = Run(args)
    return run if state is None else run.restore(state)


def train(args: Args) -> Run:
    """Train until the last epoch or --max-minutes; Ctrl-C saves and stops."""
    run = begin(args)
    args, ranks, total = run.args, run.accelerator.num_processes, len(run.pairs[0].images)

    def make(step: int) -> Pair:
        first = (step * ranks + run.rank) * args.batch
        places = range(first, first + args.batch)
        chosen = list(zip(batches.picks(args.seed, places, total), places, strict=True))
        given, wanted = (
            np.stack([_view(kind, args, n, place) for n, place in chosen]) for kind in run.pairs
        )  # both by the same random numbers: a pair moves together
        return batches.to_tensor(given), batches.to_tensor(wanted)

    return run.train(batches.ahead(make, run.step))


def _view(source: Pictures, args: Args, n: int, place: int) -> U8:
    return pictures.shaken(np.random.default_rng([args.seed, place]), source, args.size, n, turned=True)
