"""Networks by name: ``build("munet24")``. Generators: munet.py, picture.py, reference.py; judges: discriminator.py."""

from __future__ import annotations

from typing import Final

from torch import nn

from train.networks.munet import MUNet
from train.networks.picture import PictureNet
from train.networks.reference import ResNet9, UNet

COMPACT_WIDTHS: Final = {"munet24": 24, "munet32": 32, "munet16": 16}  # compact: for live use
PAPER_NETS: Final = ("resnet9", "unet", "encdec")  # the papers': pictures only
NET_NAMES: Final = (*COMPACT_WIDTHS, *PAPER_NETS)
PICTURE_WIDTHS: Final = {
    "picture24": (24, 48, 72),
    "picture16": (16, 32, 64),
    "picture32": (32, 64, 96),
}  # whole pictures


def build(name: str, size: int = 256, *, hatch: bool = True, heads: int = 2) -> nn.Module:
    """A generator by name, or a network of whole pictures, which only the name says something about.

    Raises KeyError for a name not known here, ValueError for a large net with a matte.
    """
    if name in PICTURE_WIDTHS:
        return PictureNet(PICTURE_WIDTHS[name])
    if name in PAPER_NETS:
        if heads != 3:
            raise ValueError(f"{name} gives pictures, no matte; choose from {', '.join(COMPACT_WIDTHS)}")
        return ResNet9() if name == "resnet9" else UNet(skips=name == "unet")
    return MUNet(COMPACT_WIDTHS[name], size, hatch=hatch, heads=heads)
