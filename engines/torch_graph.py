"""An ONNX graph run by torch, operator by operator: the style's own graph and weights, as torch computes them.

It reads the ONNX file, because that is what a style folder holds: a checkpoint would need the code of its network,
which engines may not import. `train export` proves that file equal to the checkpoint; here an implementation that
shares nothing with the other engines draws from it. On a GPU each batch size is captured once as a CUDA graph.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its name everywhere

from engines import U8, EngineError, check_pictures

Value = Any  # a tensor, or None for an input that is left out
KINDS: Final = {1: torch.float32, 2: torch.uint8, 3: torch.int8, 7: torch.int64, 9: torch.bool, 10: torch.float16}


class Torch:
    """One ONNX graph run by torch, on the first GPU where there is one."""

    name = "torch"

    def __init__(self, onnx_path: Path, device: str, threads: int) -> None:
        import onnx
        from onnx import helper, numpy_helper

        try:
            graph = onnx.load(str(onnx_path)).graph
        except Exception as error:
            raise EngineError(f"{onnx_path.name} is not an ONNX network it can read: {error}") from error
        unknown = sorted({node.op_type for node in graph.node} - set(OPERATORS))
        if unknown:
            raise EngineError(f"{onnx_path.name} has operators it lacks: {', '.join(unknown)}")
        dims = graph.input[0].type.tensor_type.shape.dim if len(graph.input) == 1 else []
        if len(dims) != 4 or dims[1].dim_value != dims[2].dim_value or dims[3].dim_value != 3 or len(graph.output) != 1:
            raise EngineError("the network must map u8 [?,S,S,3] to u8 [?,S,S,4]")
        self.size = int(dims[1].dim_value)
        self._ends = graph.input[0].name, graph.output[0].name
        self._device = torch.device(device)
        if device == "cpu":
            torch.set_num_threads(threads)
        read = _read_here(graph)
        self._weights: dict[str, Value] = {"": None}
        self._nodes: list[tuple[str, list[str], list[str], dict[str, Any]]] = []
        for tensor in graph.initializer:
            self._weights[tensor.name] = self._place(numpy_helper.to_array(tensor), here=tensor.name in read)
        for node in graph.node:
            values = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            if node.op_type == "Constant":
                made = numpy_helper.to_array(values["value"])
                self._weights[node.output[0]] = self._place(made, here=node.output[0] in read)
            else:
                if "value" in values:
                    values["value"] = torch.from_numpy(numpy_helper.to_array(values["value"]).copy())
                self._nodes.append((node.op_type, list(node.input), list(node.output), values))
        self._graphs: dict[int, tuple[Any, Tensor, Tensor]] = {}
        name = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {threads} threads"
        self.device = f"{name}, torch {torch.__version__}"

    def _place(self, array: Any, *, here: bool) -> Tensor:
        """Weights go to the device; whole numbers, single values and what is read ``here`` stay: shapes and bounds."""
        tensor = torch.from_numpy(np.array(array))
        return tensor if here or tensor.dtype == torch.int64 or tensor.dim() == 0 else tensor.to(self._device)

    def _run(self, crops: Tensor) -> Tensor:
        values = {**self._weights, self._ends[0]: crops}
        for kind, inputs, outputs, attributes in self._nodes:
            values[outputs[0]] = OPERATORS[kind](attributes, *(values[name] for name in inputs))
        drawn: Tensor = values[self._ends[1]]
        return drawn

    def __call__(self, pictures: U8) -> U8:
        """uint8 (N, size, size, 3) RGB -> uint8 (N, size, size, 4) RGBA."""
        check_pictures(pictures, self.size)
        with torch.inference_mode():
            try:
                fed = torch.from_numpy(np.ascontiguousarray(pictures))
                drawn = self._run(fed) if self._device.type == "cpu" else self._replay(fed)
            except RuntimeError as error:
                raise EngineError(f"torch could not draw: {str(error).splitlines()[0]}") from error
            return np.asarray(drawn.cpu().numpy(), np.uint8)

    def _replay(self, crops: Tensor) -> Tensor:
        """Through the CUDA graph of this batch size, captured at its first use."""
        count = len(crops)
        if count not in self._graphs:
            fed = crops.to(self._device)
            aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            aside.wait_stream(torch.cuda.current_stream())  # which brings the crops there
            with torch.cuda.stream(aside):  # once outside the capture: libraries set themselves up there
                self._run(fed)
            aside.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                made = self._run(fed)
            self._graphs[count] = graph, fed, made
        graph, fed, made = self._graphs[count]
        fed.copy_(crops)
        graph.replay()
        return made

    def close(self) -> None:
        """Free the weights and graphs."""
        self._graphs.clear()
        self._weights.clear()


def _read_here(graph: Any) -> set[str]:
    """What is read as numbers, and all that it is made of: while a CUDA graph is captured the GPU may not be asked."""
    read = set()
    for node in reversed(graph.node):
        if node.op_type in ("Clip", "Pad", "Resize"):
            read |= set(node.input[1:])
        elif node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            read |= set(node.input[2:])
        elif node.op_type != "Shape" and read & set(node.output):
            read |= set(node.input)
    return read


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
    if mode == "reflect":
        return F.pad(x, amounts[:4], mode="reflect")
    return F.pad(x, amounts, value=0.0 if value is None else float(value))


def _resize(a: dict[str, Any], x: Tensor, _roi: Value, scales: Tensor, sizes: Value = None) -> Tensor:
    if a.get("mode", b"nearest") != b"nearest" or sizes is not None:
        raise EngineError(f"Resize in mode {a.get('mode')} is not known here")
    _, _, down, across = (float(s) for s in scales)
    return F.interpolate(x, scale_factor=(down, across), mode="nearest")


def _depth_to_space(a: dict[str, Any], x: Tensor) -> Tensor:
    if a.get("mode") != b"CRD":
        raise EngineError("DepthToSpace in mode DCR is not known here")
    return F.pixel_shuffle(x, a["blocksize"])


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
    "Relu": lambda _a, x: F.relu(x),
    "Reshape": _reshape,
    "Resize": _resize,
    "Round": lambda _a, x: x.round(),
    "Shape": lambda _a, x: torch.tensor(x.shape),
    "Sigmoid": lambda _a, x: x.sigmoid(),
    "Tanh": lambda _a, x: x.tanh(),
    "Transpose": lambda a, x: x.permute(a["perm"]),
    "Unsqueeze": lambda _a, x, axes: _unsqueeze(x, axes.tolist()),
}


def _unsqueeze(x: Tensor, axes: list[int]) -> Tensor:
    for axis in sorted(axes):
        x = x.unsqueeze(axis)
    return x
