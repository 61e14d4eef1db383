"""Networks by name: ``build("munet24")``. Generators: munet.py, reference.py; discriminators: discriminator.py."""

from __future__ import annotations

from typing import Final

from torch import nn

from train.networks.munet import MUNet
from train.networks.reference import ResNet9, UNet

COMPACT_WIDTHS: Final = {"munet24": 24, "munet32": 32, "munet16": 16}  # compact: for live use
PAPER_NETS: Final = ("resnet9", "unet", "encdec")  # the papers': pictures only
NET_NAMES: Final = (*COMPACT_WIDTHS, *PAPER_NETS)


def build(name: str, size: int = 256, *, hatch: bool = True, heads: int = 2) -> nn.Module:
    """A generator by name. Raises KeyError for a name not in NET_NAMES, ValueError for a large net with a matte."""
    if name in PAPER_NETS:
        if heads != 3:
            raise ValueError(f"{name} gives pictures, no matte; choose from {', '.join(COMPACT_WIDTHS)}")
        return ResNet9() if name == "resnet9" else UNet(skips=name == "unet")
    return MUNet(COMPACT_WIDTHS[name], size, hatch=hatch, heads=heads)
