"""A trained network as engines run it: uint8 in and out, every scaling inside, BatchNorm folded."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from streamtoon.types import U8
from train.networks import munet, picture
from train.networks.munet import DRAWING_HEAD, MATTE_HEAD, MUNet
from train.networks.picture import PictureNet
from train.tones import stepped

Colour = tuple[int, int, int]


class DeployedPicture(nn.Module):
    """A network that gives a whole picture: uint8 RGB in, uint8 RGBA out, alpha 255, BatchNorm folded."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net: nn.Module = fold(copy.deepcopy(net).eval())
        for weight in self.net.parameters():
            weight.data = weight.data.half().float()

    def forward(self, crops: Tensor) -> Tensor:
        """(N, h, w, 3) uint8 RGB -> (N, h, w, 4) uint8 RGBA."""
        x = crops.to(next(self.net.parameters()).dtype).permute(0, 3, 1, 2)
        rgb = ((munet.picture(self.net(x * (1 / 127.5) - 1)) + 1) * 127.5).round().clamp(0, 255)
        rgba = torch.cat([rgb, torch.full_like(rgb[:, :1], 255)], dim=1)
        return rgba.permute(0, 2, 3, 1).to(torch.uint8)


class DeployedPlanes(nn.Module):
    """A network of whole pictures: uint8 RGB of any size in multiples of 8 in, uint8 planes twice as large out.

    Its first and last convolutions work in levels from 0 to 255, so nothing is left to scale. ``grey`` leaves the
    colours out: what a network that learned grey drawings keeps of them is an error. ``tones``: of luma, 0 for all.
    """

    def __init__(self, net: PictureNet, *, grey: bool = False, tones: int = 0) -> None:
        super().__init__()
        self.tones = tones
        self.net: PictureNet = fold(copy.deepcopy(net).eval())
        first, head = next(m for m in self.net.fine.modules() if isinstance(m, nn.Conv2d)), self.net.head
        with torch.no_grad():
            first.weight.div_(255)
            head.weight.mul_(255)
            head.bias.mul_(255)
            if grey:
                for chroma in (head.weight[16:], head.bias[16:], self.net.enlarge[16:]):
                    chroma.zero_()
            head.bias[16:] += 128
        for weight in (*self.net.parameters(), self.net.enlarge):
            weight.data = weight.data.half().float()

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, h, w, 3) uint8 RGB -> (N, 3h, 2w) uint8: planes as I420 lays them, BT.601, full range."""
        n, h, w = pictures.shape[:3]
        luma, chroma = self.net(pictures.to(self.net.head.weight.dtype).permute(0, 3, 1, 2))
        luma = stepped(luma, self.tones, 255)
        planes = torch.cat([luma.reshape(n, 2 * h, 2 * w), chroma.reshape(n, h, 2 * w)], dim=1)
        return planes.round().clamp(0, 255).to(torch.uint8)


def rgb_of(planes: U8) -> U8:
    """(N, 3h, 2w) uint8 planes -> (N, 2h, 2w, 3) uint8 RGB."""
    n, rows, across = planes.shape
    down = rows // 3
    luma, chroma = torch.split(torch.from_numpy(planes).float(), [2 * down, down], dim=1)
    chroma = chroma.reshape(n, 2, down, across // 2) - 128
    rgb = picture.to_rgb(luma[:, None] / 255, chroma / 255) * 255
    return np.asarray(rgb.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy(), np.uint8)


class Deployed(nn.Module):
    """The network as engines run it: uint8 RGB in, uint8 RGBA out, BatchNorm folded."""

    gain: Tensor
    shift: Tensor
    base: Tensor
    span: Tensor

    def __init__(self, net: MUNet, ink: Colour = (0, 0, 0), paper: Colour = (255, 255, 255)) -> None:
        super().__init__()
        self.net: MUNet = fold(copy.deepcopy(net).eval())
        # the last convolution gives drawing, drawing, drawing, matte: RGBA without copying whole planes afterwards
        heads = (DRAWING_HEAD, DRAWING_HEAD, DRAWING_HEAD, MATTE_HEAD)
        rows = [4 * head + part for head in heads for part in range(4)]  # four sub-pixels each
        last = self.net.out
        self.net.out = nn.Conv2d(last.in_channels, len(rows), 3, padding=1)
        self.net.out.weight.data = last.weight.data[rows]
        self.net.out.bias.data = last.bias.data[rows]
        for name, values in (
            ("gain", [munet.SIGMOID_GAIN_SHIFT[h][0] for h in heads]),
            ("shift", [munet.SIGMOID_GAIN_SHIFT[h][1] for h in heads]),
            ("base", [*ink, 0]), ("span", [p - i for p, i in zip(paper, ink, strict=True)] + [255]),
        ):  # fmt: skip
            self.register_buffer(name, torch.tensor(values).float().view(1, 4, 1, 1))
        for weight in self.net.parameters():  # exactly what half precision can hold: the file needs no more
            weight.data = weight.data.half().float()

    def forward(self, crops: Tensor) -> Tensor:
        """(N, h, w, 3) uint8 RGB -> (N, h, w, 4) uint8 RGBA. A cast truncates, so it comes after Round and Clip."""
        x = crops.to(self.net.out.weight.dtype).permute(0, 3, 1, 2)
        logits = self.net(x * (1 / 127.5) - 1)
        unit = (torch.sigmoid(logits) * self.gain + self.shift).clamp(0, 1)
        rgba = (unit * self.span + self.base).round().clamp(0, 255)
        return rgba.permute(0, 2, 3, 1).to(torch.uint8)


def fold(net: nn.Module) -> Any:
    """Every convolution followed by BatchNorm becomes one convolution; changes ``net``."""
    for name, child in net.named_children():
        if isinstance(child, nn.Sequential):
            layers = list(child)
            for i in range(len(layers) - 1):
                first, second = layers[i], layers[i + 1]
                if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                    layers[i], layers[i + 1] = fuse_conv_bn_eval(first, second), nn.Identity()
            setattr(net, name, nn.Sequential(*(x for x in layers if not isinstance(x, nn.Identity))))
        fold(getattr(net, name))
    return net
