"""Photos and drawings of different people -> two generators, photo to drawing and drawing to photo.

Zhu, Park, Isola, Efros: "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks" (ICCV 2017):
each generator must fool a discriminator (section 3.1), there and back again must give the picture one began with (3.2),
a picture that is already of the target kind must stay as it is (5.2).

``--preset paper`` is that paper. ``--preset compact`` trains networks small enough for live use on few pictures:
discriminators with bounded gain that judge 34 px patches and see changed pictures (discriminator.py), noise on the
fake before the way back, so that no photo can hide in a drawing (Chu et al., arXiv 1712.02950), cycle and identity
weights that fade, photos through a worse camera on the way in, BatchNorm frozen at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its name everywhere

from foundation.errors import UsageError
from streamtoon.types import U8
from train import networks
from train.data import batches, pictures
from train.data.pictures import Pictures, Unpaired
from train.evaluation import features
from train.evaluation.features import SqueezeNet
from train.networks import munet
from train.networks.discriminator import Patch, Pool, least_squares, same_change
from train.run import loop, sample_sheet
from train.style_folder import load_weights

PRESET_VALUES: Final[dict[str, dict[str, Any]]] = {
    "paper": {
        "net": "resnet9", "width": 64, "layers": 3, "compact": False, "epochs": 200, "batch": 1, "lr": 2e-4,
        "lr_judges": 2e-4, "cycle": 10.0, "cycle_end": 10.0, "identity": 0.5, "identity_end": 0.5, "noise": 0.0,
    },
    "compact": {
        "net": "munet24", "width": 16, "layers": 2, "compact": True, "epochs": 200, "batch": 4, "lr": 2e-4,
        "lr_judges": 1e-4, "cycle": 10.0, "cycle_end": 1.0, "identity": 0.5, "identity_end": 0.0, "noise": 20 / 255,
    },
}  # fmt: skip


@dataclass
class Args(loop.Args):
    """Folders of photos and drawings -> checkpoint of both directions. What is not given is as in the preset."""

    photos: Path
    """folder of photos: one that `prepare` wrote, or pictures of one size"""
    drawings: Path
    """folder of drawings, likewise"""
    preset: Literal["paper", "compact"] = "compact"
    """paper: as published, for a graphics card; compact: for live use"""
    init: Path | None = None
    """checkpoint or style folder to start the generators' weights from"""
    size: int = 256
    """side of a crop in px"""
    net: str | None = None
    """generators: resnet9 (paper), munet24 (compact), munet32, munet16, unet or encdec"""
    width: int | None = None
    """filters of the discriminators' first layer: 64, compact 16"""
    layers: int | None = None
    """their halvings: 3 judge patches of 70 px (paper), 2 of 34 px (compact), 1 of 16 px"""
    compact: bool | None = None
    """spectral norm, changed pictures for the judges, a worse camera, clipping, BatchNorm frozen at the end"""
    epochs: int | None = None
    """walks through the larger folder: 200; the learning rate falls over the second half"""
    batch: int | None = None
    """pictures of each kind a step: 1, compact 4"""
    lr: float | None = None
    """learning rate of the generators: 2e-4"""
    lr_judges: float | None = None
    """learning rate of the discriminators: 2e-4, compact 1e-4"""
    cycle: float | None = None
    """weight of coming back, at the start: 10"""
    cycle_end: float | None = None
    """and at the end: 10, compact 1"""
    identity: float | None = None
    """weight of leaving alone what is of the target kind, in parts of the cycle's, at the start: .5"""
    identity_end: float | None = None
    """and at the end: .5, compact 0"""
    noise: float | None = None
    """standard deviation of the noise on a fake before the way back, 0..1: 0, compact .08"""
    pool: int = 50
    """fakes of each kind remembered for the discriminators"""
    tone: float = 0.0
    """weight of keeping the photo's luminance, blurred by 8 px"""
    content: float = 0.0
    """weight of keeping the photo's SqueezeNet features (needs --squeezenet)"""
    squeezenet: Path | None = None
    """weights of SqueezeNet 1.0 (.npz), for --content and for the held-out figures"""
    ema: float = 0.999
    """decay of the moving average of the weights"""


def settle(args: Args) -> Args:
    """The arguments with the preset's values where none were given."""
    return replace(args, **{k: v for k, v in PRESET_VALUES[args.preset].items() if getattr(args, k) is None})


def interpolated(first: float, last: float, done: float) -> float:
    """From ``first`` to ``last`` in a straight line."""
    return first + (last - first) * done


class Run(loop.Run):
    """Two generators, their moving averages, two discriminators, two pools, two optimisers."""

    best_by, higher_is_better = "kernel", False

    def __init__(self, args: Args, photos: tuple[Pictures, Pictures], drawings: tuple[Pictures, Pictures]) -> None:
        self.photos, self.drawings = photos, drawings
        longest = max(len(photos[0].images), len(drawings[0].images))
        super().__init__(args)
        self.steps = -(-longest * int(args.epochs or 1) // (int(args.batch or 1) * self.accelerator.num_processes))
        torch.manual_seed(args.seed)
        self.draw, self.photo = self._generator(hatch=True), self._generator(hatch=False)
        if args.init is not None:
            state = load_weights.start(args.init, self._some(photos[0]), heads=3)
            loop.start(self.draw, state["ema"], args.init)
            loop.start(self.photo, state.get("ema_back", state["ema"]), args.init)
        self.draw_average, self.photo_average = loop.averaged(self.draw), loop.averaged(self.photo)
        self.drawing_discriminator, self.photo_discriminator = (
            Patch(3, args.width or 64, args.layers or 3, spectral=bool(args.compact)).to(self.device) for _ in range(2)
        )
        generators = [*self.draw.parameters(), *self.photo.parameters()]
        discriminators = [*self.drawing_discriminator.parameters(), *self.photo_discriminator.parameters()]
        self.optimiser = torch.optim.Adam(generators, args.lr or 2e-4, (0.5, 0.999))
        self.discriminator_optimiser = torch.optim.Adam(discriminators, args.lr_judges or 2e-4, (0.5, 0.999))
        self.fake_drawings, self.fake_photos = Pool(args.pool), Pool(args.pool)
        self.parts = {
            "draw": self.draw, "photo": self.photo, "ema": self.draw_average, "ema_back": self.photo_average,
            "judge_drawing": self.drawing_discriminator, "judge_photo": self.photo_discriminator,
            "optimiser": self.optimiser, "judges": self.discriminator_optimiser,
            "fake_drawings": self.fake_drawings, "fake_photos": self.fake_photos,
        }  # fmt: skip
        self.net = SqueezeNet(args.squeezenet).to(self.device)

    def _generator(self, *, hatch: bool) -> nn.Module:
        net = networks.build(str(self.args.net), self.args.size, hatch=hatch, heads=3)
        return net.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    def settings(self) -> dict[str, Any]:
        """The arguments, and what export must know."""
        return super().settings() | {"method": "cyclegan"}

    def update(self, batch: Unpaired) -> dict[str, Tensor]:
        """One step of the generators, then one of the discriminators."""
        args, batch, done = self.args, batch.to(self.device), self.progress()
        for optimiser, rate in ((self.optimiser, args.lr), (self.discriminator_optimiser, args.lr_judges)):
            for group in optimiser.param_groups:
                group["lr"] = rate * min(1.0, 2 * (1 - done))  # constant, then straight down to zero
        if args.compact and done > 0.8:
            munet.freeze_statistics(self.draw)
            munet.freeze_statistics(self.photo)
        cycle, clip = interpolated(args.cycle, args.cycle_end, done), 1.0 if args.compact else None
        identity = cycle * interpolated(args.identity, args.identity_end, done)
        for discriminator in (self.drawing_discriminator, self.photo_discriminator):
            discriminator.requires_grad_(requires_grad=False)
        with self.autocast():
            drawn, made = self._to(self.draw, batch.seen), self._to(self.photo, batch.drawings)
            terms = {
                "gan_drawing": least_squares(self.drawing_discriminator(self._change(drawn)(drawn)), 1.0),
                "gan_photo": least_squares(self.photo_discriminator(self._change(made)(made)), 1.0),
                "cycle_photo": cycle * F.l1_loss(self._to(self.photo, self._noisy(drawn)), batch.photos),
                "cycle_drawing": cycle * F.l1_loss(self._to(self.draw, self._noisy(made)), batch.drawings),
            }
            if identity:
                terms["identity_drawing"] = identity * F.l1_loss(self._to(self.draw, batch.drawings), batch.drawings)
                terms["identity_photo"] = identity * F.l1_loss(self._to(self.photo, batch.photos), batch.photos)
        if args.tone:
            terms["tone"] = args.tone * F.l1_loss(blurred(drawn), blurred(batch.photos))
        if args.content:
            terms["content"] = args.content * features.distance(self.net, drawn, batch.photos)
        total = torch.stack(list(terms.values())).sum()
        self.descend(total, self.optimiser, clip=clip)
        for discriminator in (self.drawing_discriminator, self.photo_discriminator):
            discriminator.requires_grad_(requires_grad=True)
        for average, net in ((self.draw_average, self.draw), (self.photo_average, self.photo)):
            loop.update_ema(average, net, args.ema, self.step)
        with self.autocast():
            fakes = self.fake_drawings(drawn)
            terms["judge_drawing"] = self._told_apart(self.drawing_discriminator, batch.drawings, fakes)
            fakes = self.fake_photos(made)
            terms["judge_photo"] = self._told_apart(self.photo_discriminator, batch.photos, fakes)
        self.descend(terms["judge_drawing"] + terms["judge_photo"], self.discriminator_optimiser, clip=clip)
        return {"total": total.detach()} | {k: v.detach() for k, v in terms.items()}

    def _to(self, net: nn.Module, x: Tensor) -> Tensor:
        return munet.picture(net(x.to(memory_format=torch.channels_last)).float())

    def _noisy(self, x: Tensor) -> Tensor:
        return x + 2 * self.args.noise * torch.randn_like(x) if self.args.noise else x

    def _change(self, x: Tensor) -> Any:
        return same_change(len(x), x.device, active=bool(self.args.compact))

    def _told_apart(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        change = self._change(real)
        return (least_squares(discriminator(change(real)), 1.0) + least_squares(discriminator(change(fake)), 0.0)) / 2

    @torch.no_grad()
    def _average(self, net: nn.Module, x: Tensor) -> Tensor:
        parts = [
            munet.picture(net(p.to(self.device, memory_format=torch.channels_last)).float()) for p in torch.split(x, 8)
        ]
        return torch.cat(parts).cpu()

    def _some(self, source: Pictures, count: int = 32) -> Tensor:
        return batches.to_tensor(pictures.look(source, self.args.size, list(range(len(source.images)))[:count]))

    def validate(self) -> dict[str, float]:
        """Kernel distances to real pictures, coming back on pictures held out and trained on, variety and copying.

        ``variety``: how different the drawings are from each other, in parts of how different real ones are.
        ``copying``: how far they are from the nearest drawing trained on, in parts of how far held-out drawings are.
        """
        photos, drawings = self._some(self.photos[1]), self._some(self.drawings[1])
        drawn, made = self._average(self.draw_average, photos), self._average(self.photo_average, drawings)
        known = features.embed(self.net, self._some(self.drawings[0], 256))
        faces = features.embed(self.net, self._some(self.photos[0], 256))
        ours, theirs = features.embed(self.net, drawn), features.embed(self.net, drawings)
        figures = {
            "kernel_drawing": features.kernel(ours, known),
            "kernel_photo": features.kernel(features.embed(self.net, made), faces),
            "variety": features.spread(ours) / max(features.spread(known), 1e-9),
            "copying": features.nearest(ours, known) / max(features.nearest(theirs, known), 1e-9),
        }
        seen = self._some(self.photos[0], len(photos))
        back = self._average(self.photo_average, self._average(self.draw_average, seen))
        figures["cycle_train"] = float(F.l1_loss(back, seen))
        figures["cycle_val"] = float(F.l1_loss(self._average(self.photo_average, drawn), photos))
        return figures | {"kernel": figures["kernel_drawing"] + figures["kernel_photo"]}

    def sheet(self) -> U8:
        """Photo, drawing, photo again; drawing, photo, drawing again."""
        rows = []
        for source, there, back in (
            (self.photos[1], self.draw_average, self.photo_average),
            (self.drawings[1], self.photo_average, self.draw_average),
        ):
            first = self._some(source, 8)
            second = self._average(there, first)
            rows += [first, second, self._average(back, second)]
        count = min(len(row) for row in rows)
        return sample_sheet.tile([sample_sheet.to_u8(row[:count]) for row in rows])


def blurred(x: Tensor) -> Tensor:
    """(N, 3, h, w) RGB -> (N, 1, h', w') luma (BT.601) over 16 px, every 8 px."""
    weights = torch.tensor([0.299, 0.587, 0.114], device=x.device).view(1, 3, 1, 1)
    return F.avg_pool2d((x * weights).sum(dim=1, keepdim=True), 16, 8)


def begin(args: Args) -> Run:
    """A new run, or the one in OUT where --resume says so. Raises UsageError where the arguments cannot work."""
    args, state = loop.resumed(args, "cyclegan", {"photos", "drawings", "init", "squeezenet"})
    if state is not None:
        stored = state["args"]["squeezenet"]
        args = replace(args, init=None, squeezenet=args.squeezenet or (Path(stored) if stored else None))
    args = settle(args)
    if args.net not in networks.NET_NAMES:
        raise UsageError(f"there is no net {args.net!r}; choose from {', '.join(networks.NET_NAMES)}")
    loop.check(args, epochs=args.epochs, batch=args.batch, size=args.size, width=args.width, layers=args.layers)
    if args.size % 64:
        raise UsageError(f"--size is {args.size}; it must be a multiple of 64")
    if args.content and args.squeezenet is None:
        raise UsageError("--content needs --squeezenet FILE, the weights of SqueezeNet 1.0")
    run = Run(args, pictures.read(args.photos, args.size), pictures.read(args.drawings, args.size))
    return run if state is None else run.restore(state)


def train(args: Args) -> Run:
    """Train until the last epoch or --max-minutes; Ctrl-C saves and stops."""
    run = begin(args)
    args, size, ranks = run.args, int(run.args.batch), run.accelerator.num_processes
    photos, drawings = run.photos[0], run.drawings[0]

    def make(step: int) -> Unpaired:
        first = (step * ranks + run.rank) * size
        places = range(first, first + size)
        chosen = zip(
            batches.picks(args.seed, places, len(photos.images)),
            batches.picks(args.seed + 1, places, len(drawings.images)),
            ([args.seed, p] for p in places), strict=True,
        )  # fmt: skip
        return pictures.unpaired(photos, drawings, args.size, list(chosen), hard=bool(args.compact))

    return run.train(batches.ahead(make, run.step))
