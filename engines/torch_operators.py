"""What engines/torch_graph.py computes: ONNX's operators, each as torch has it. Others are refused by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its name everywhere

from engines import EngineError

Value = Any  # a tensor, or None for an input that is left out
KINDS: Final = {1: torch.float32, 2: torch.uint8, 3: torch.int8, 7: torch.int64, 9: torch.bool, 10: torch.float16}
PADS: Final = {"reflect": "reflect", "edge": "replicate"}
RESIZES: Final = {  # ONNX's mode and how it places samples -> torch's mode
    (b"nearest", b"asymmetric"): "nearest",
    (b"nearest", b"half_pixel"): "nearest",  # by whole factors it is the same
    (b"linear", b"half_pixel"): "bilinear",
    (b"linear", b"pytorch_half_pixel"): "bilinear",
}


def _pads(attributes: dict[str, Any]) -> list[int]:
    """ONNX's begins and ends as torch's pairs, last axis first."""
    pads = attributes.get("pads", [0, 0, 0, 0])
    half = len(pads) // 2
    return [p for axis in reversed(range(half)) for p in (pads[axis], pads[axis + half])]


def _conv(a: dict[str, Any], x: Tensor, weight: Tensor, bias: Value = None) -> Tensor:
    x = F.pad(x, _pads(a))
    return F.conv2d(x, weight, bias, a.get("strides", 1), 0, a.get("dilations", 1), a.get("group", 1))


def _conv_transpose(a: dict[str, Any], x: Tensor, weight: Tensor, bias: Value = None) -> Tensor:
    top, left, bottom, right = a.get("pads", [0, 0, 0, 0])
    if (top, left) != (bottom, right):
        raise EngineError(f"ConvTranspose with pads {a['pads']} is not known here")
    extra = a.get("output_padding", 0)
    return F.conv_transpose2d(x, weight, bias, a.get("strides", 1), (top, left), extra, a.get("group", 1))


def _pad(a: dict[str, Any], x: Tensor, pads: Tensor, value: Value = None) -> Tensor:
    mode = a.get("mode", b"constant").decode()
    amounts = _pads({"pads": pads.tolist()})
    if mode != "constant":
        if mode not in PADS or any(amounts[4:]):
            raise EngineError(f"Pad in mode {mode} by {pads.tolist()} is not known here")
        return F.pad(x, amounts[:4], mode=PADS[mode])
    return F.pad(x, amounts, value=0.0 if value is None else float(value))


def _resize(a: dict[str, Any], x: Tensor, _roi: Value, scales: Value, sizes: Value = None) -> Tensor:
    how = a.get("mode", b"nearest"), a.get("coordinate_transformation_mode", b"half_pixel")
    factors = (
        [float(s) for s in scales] if sizes is None else [int(n) / side for n, side in zip(sizes, x.shape, strict=True)]
    )
    if how not in RESIZES or (how[0] == b"nearest" and any(not f.is_integer() for f in factors)):
        raise EngineError(f"Resize in mode {how} by {factors} is not known here")
    return F.interpolate(x, scale_factor=tuple(factors[2:]), mode=RESIZES[how])


def _depth_to_space(a: dict[str, Any], x: Tensor) -> Tensor:
    n, channels, h, w = x.shape
    block = a["blocksize"]
    if a.get("mode", b"DCR") == b"CRD":
        return F.pixel_shuffle(x, block)
    x = x.reshape(n, block, block, channels // block**2, h, w).permute(0, 3, 4, 1, 5, 2)
    return x.reshape(n, channels // block**2, h * block, w * block)


def _space_to_depth(a: dict[str, Any], x: Tensor) -> Tensor:
    n, channels, h, w = x.shape
    block = a["blocksize"]
    x = x.reshape(n, channels, h // block, block, w // block, block).permute(0, 3, 5, 1, 2, 4)
    return x.reshape(n, channels * block**2, h // block, w // block)


def _slice(
    _a: dict[str, Any], x: Tensor, begins: Tensor, ends: Tensor, axes: Value = None, steps: Value = None
) -> Tensor:
    count = len(begins)
    along = range(count) if axes is None else axes.tolist()
    by = [1] * count if steps is None else steps.tolist()
    if min(by) < 1:
        raise EngineError(f"Slice by steps {by} is not known here")
    where = [slice(None)] * x.dim()
    for axis, begin, end, step in zip(along, begins.tolist(), ends.tolist(), by, strict=True):
        where[axis] = slice(begin, end, step)
    return x[tuple(where)]


def _average(a: dict[str, Any], x: Tensor) -> Tensor:
    if a.get("pads") and any(a["pads"]):
        raise EngineError(f"AveragePool with pads {a['pads']} is not known here")
    return F.avg_pool2d(x, a["kernel_shape"], a.get("strides", 1))


def _reshape(_a: dict[str, Any], x: Tensor, shape: Tensor) -> Tensor:
    return x.reshape([x.shape[i] if n == 0 else n for i, n in enumerate(shape.tolist())])


def _clip(_a: dict[str, Any], x: Tensor, low: Value = None, high: Value = None) -> Tensor:
    return x.clamp(-math.inf if low is None else float(low), math.inf if high is None else float(high))


def _scaled(a: dict[str, Any], scale: Tensor, x: Tensor) -> Tensor:
    """A quantiser's scale, shaped to multiply ``x`` along its axis."""
    if scale.numel() == 1:
        return scale.reshape(())
    return scale.reshape([-1 if i == a.get("axis", 1) % x.dim() else 1 for i in range(x.dim())])


def _quantise(a: dict[str, Any], x: Tensor, scale: Tensor, zero: Value = None) -> Tensor:
    _symmetric(zero)
    return (x / _scaled(a, scale, x).to(x.device)).round().clamp(-128, 127).to(torch.int8)


def _dequantise(a: dict[str, Any], x: Tensor, scale: Tensor, zero: Value = None) -> Tensor:
    _symmetric(zero)
    return x.to(scale.dtype) * _scaled(a, scale, x).to(x.device)


def _symmetric(zero: Value) -> None:
    if zero is not None and bool(zero.any()):
        raise EngineError("quantised with a zero point; TensorRT wants none either")


OPERATORS: Final[dict[str, Callable[..., Tensor]]] = {
    "AveragePool": _average,
    "Add": lambda _a, x, y: x + y,
    "Sub": lambda _a, x, y: x - y,
    "Mul": lambda _a, x, y: x * y,
    "Div": lambda _a, x, y: x / y,
    "Equal": lambda _a, x, y: x == y,
    "Where": lambda _a, c, x, y: torch.where(c, x, y),
    "Cast": lambda a, x: x.to(KINDS[a["to"]]),
    "Clip": _clip,
    "Concat": lambda a, *xs: torch.cat(xs, dim=a["axis"]),
    "Constant": lambda _a: torch.empty(0),
    "ConstantOfShape": lambda a, shape: a["value"].expand(shape.tolist()),
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "DepthToSpace": _depth_to_space,
    "DequantizeLinear": _dequantise,
    "Expand": lambda _a, x, shape: x * torch.ones(shape.tolist(), dtype=x.dtype, device=x.device),
    "Gather": lambda a, x, i: x[(slice(None),) * a.get("axis", 0) + (i,)],
    "Identity": lambda _a, x: x,
    "InstanceNormalization": lambda a, x, w, b: F.instance_norm(x, weight=w, bias=b, eps=a.get("epsilon", 1e-5)),
    "LeakyRelu": lambda a, x: F.leaky_relu(x, a.get("alpha", 0.01)),
    "Pad": _pad,
    "QuantizeLinear": _quantise,
    "ReduceMean": lambda a, x, axes=None: x.mean(
        a["axes"] if axes is None else axes.tolist(), bool(a.get("keepdims", 1))
    ),
    "ReduceSum": lambda a, x, axes: x.sum(axes.tolist(), bool(a.get("keepdims", 1))),
    "Relu": lambda _a, x: F.relu(x),
    "Reshape": _reshape,
    "Resize": _resize,
    "Round": lambda _a, x: x.round(),
    "Shape": lambda _a, x: torch.tensor(x.shape),
    "Sigmoid": lambda _a, x: x.sigmoid(),
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Squeeze": lambda _a, x, axes=None: x.squeeze() if axes is None else x.squeeze(axes.tolist()),
    "Tanh": lambda _a, x: x.tanh(),
    "Transpose": lambda a, x: x.permute(a["perm"]),
    "Unsqueeze": lambda _a, x, axes: _unsqueeze(x, axes.tolist()),
}


def _unsqueeze(x: Tensor, axes: list[int]) -> Tensor:
    for axis in sorted(axes):
        x = x.unsqueeze(axis)
    return x
