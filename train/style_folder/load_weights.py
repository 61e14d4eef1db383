"""A style folder -> weights to go on from: whoever has the style can retrain it, without the checkpoint it came from.

At export every BatchNorm was folded into its convolution. Here each is put back (Ioffe and Szegedy, ICML 2015, eq. 3-4)
with the mean and variance that photos really give in front of it: the network draws what the style draws, and its
layers see the scale they are trained at.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from foundation.errors import UsageError
from train.networks.munet import MUNet
from train.run import checkpoint
from train.style_folder.load_style import load_style


def start(source: Path, photos: Tensor, heads: int = 2) -> dict[str, Any]:
    """A checkpoint's state, or that of a style folder: what ``--init`` names."""
    return {"ema": weights(source, photos, heads)} if source.is_dir() else checkpoint.load(source)


def weights(style: Path, photos: Tensor, heads: int = 2) -> dict[str, Tensor]:
    """The state dict of the ``munet.MUNet`` that a style folder holds; with three heads its drawing is a grey picture.

    photos (N, 3, size, size) in [-1, 1]: what layers see; 32 will do. Raises UsageError where it is no such network.
    """
    places, convolutions = _read(style)
    width, last = convolutions[0][0].shape[0], convolutions[-1][0].shape[1]
    try:
        rows, columns = (next(p for p in places if p.shape[side] == 1) for side in (3, 2))
        net = MUNet(width, 8 * rows.shape[2], hatch=convolutions[-2][0].shape[1] > last, heads=heads)
        layers = _convolutions(net)
        with torch.no_grad():
            net.rows.copy_(rows)
            net.columns.copy_(columns)
            convolutions[-1] = (_heads(convolutions[-1][0], heads), _heads(convolutions[-1][1], heads))
            for (conv, norm), (weight, bias) in zip(layers, convolutions, strict=True):
                conv.weight.copy_(weight)
                if norm is None:
                    cast(Tensor, conv.bias).copy_(bias)
                else:
                    _passes(norm, bias)
    except (StopIteration, RuntimeError, ValueError):
        raise UsageError(f"style {style} is of another net; start from one that `paired` or `engrave` made") from None
    _measure(net, [norm for _, norm in layers if norm is not None], photos)
    return dict(net.state_dict())


def _heads(exported: Tensor, heads: int) -> Tensor:
    """Rows of the last convolution, exported as drawing, drawing, drawing, matte: what training wants of them."""
    drawing, matte = exported[:4], exported[12:16]
    # tanh(x / 2) of a picture is the sigmoid of a drawing, from -1 to 1
    return torch.cat([drawing, matte]) if heads == 2 else torch.cat([drawing] * heads) / 2


def _read(style: Path) -> tuple[list[Tensor], list[tuple[Tensor, Tensor]]]:
    """What is added by place, (1, C, h, 1) and (1, C, 1, w); (weight, bias) of every convolution in running order."""
    import onnx
    from google.protobuf.message import DecodeError
    from onnx import numpy_helper

    file = load_style(style).onnx
    try:
        graph: Any = onnx.load(str(file)).graph
    except (DecodeError, OSError) as error:
        raise UsageError(f"{file} cannot be read ({error}); give a style folder that `export` wrote") from None
    values = {t.name: torch.from_numpy(numpy_helper.to_array(t).astype(np.float32)) for t in graph.initializer}
    places = [v for v in values.values() if v.ndim == 4 and v.shape[0] == 1 and (v.shape[2] == 1) != (v.shape[3] == 1)]
    for node in graph.node:  # weights are stored as halves
        if node.op_type == "Cast" and node.input[0] in values:
            values[node.output[0]] = values[node.input[0]]
    convs = [node for node in graph.node if node.op_type == "Conv"]
    if any(len(node.input) != 3 or not all(name in values for name in node.input[1:]) for node in convs):
        raise UsageError(f"{file} has convolutions without weights of their own; give a style that `export` wrote")
    return places, [(values[n.input[1]], values[n.input[2]]) for n in convs]


def _convolutions(net: MUNet) -> list[tuple[nn.Conv2d, nn.BatchNorm2d | None]]:
    """Each convolution and the BatchNorm behind it, in the order they run."""
    behind = {
        first: second
        for block in net.modules()
        if isinstance(block, nn.Sequential)
        for first, second in zip(block, list(block)[1:], strict=False)
        if isinstance(second, nn.BatchNorm2d)
    }
    ran: list[nn.Conv2d] = []
    convs = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    hooks = [m.register_forward_hook(lambda layer, *_: ran.append(layer)) for m in convs]
    _look(net, torch.zeros(1, 3, *(8 * n for n in (net.rows.shape[2], net.columns.shape[3]))))
    for hook in hooks:
        hook.remove()
    return [(conv, behind.get(conv)) for conv in ran]


def _passes(norm: nn.BatchNorm2d, bias: Tensor) -> None:
    """Make a BatchNorm add ``bias`` and change nothing else."""
    norm.reset_running_stats()
    cast(Tensor, norm.running_var).fill_(1 - norm.eps)
    norm.weight.fill_(1)
    norm.bias.copy_(bias)


@torch.no_grad()
def _measure(net: MUNet, norms: list[nn.BatchNorm2d], photos: Tensor) -> None:
    """Put the mean and variance that ``photos`` give into every BatchNorm, and undo them behind it."""
    seen: dict[nn.Module, list[Tensor]] = {norm: [] for norm in norms}

    def look(norm: nn.Module, given: tuple[Tensor], _: Tensor) -> None:
        x = given[0]
        seen[norm].append(torch.stack([x.mean(dim=(0, 2, 3)), x.square().mean(dim=(0, 2, 3))]))

    hooks = [norm.register_forward_hook(look) for norm in norms]
    for part in torch.split(photos, 8):
        _look(net, part)
    for hook in hooks:
        hook.remove()
    for norm in norms:
        mean, square = torch.stack(seen[norm]).mean(dim=0)
        spread = (square - mean.square()).clamp(min=0)
        cast(Tensor, norm.running_mean).copy_(mean)
        cast(Tensor, norm.running_var).copy_(spread)
        norm.weight.copy_((spread + norm.eps).sqrt())
        norm.bias.add_(mean)


@torch.no_grad()
def _look(net: nn.Module, photos: Tensor) -> None:
    was = net.training
    net.eval()(photos.to(next(net.parameters()).device))
    net.train(was)
