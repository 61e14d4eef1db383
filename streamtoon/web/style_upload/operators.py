"""Checks the operators of an uploaded ONNX file before any runtime opens it.

A style's network is a plain feed of pictures: no custom operators, no functions, no loops or branches (they hide
work), no data outside the file. What is left cannot name a file or run code; how long it takes is tried in a process
of its own (``trial_drawing.py``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import onnx
from google.protobuf.message import DecodeError

from streamtoon.errors import UsageError

ALLOWED_DOMAINS: Final = frozenset({"", "ai.onnx"})
ALLOWED_OPERATORS: Final = frozenset(
    """
    Abs Add And ArgMax ArgMin AveragePool BatchNormalization Cast CastLike Clip Concat Constant ConstantOfShape
    Conv ConvTranspose Cos DepthToSpace DequantizeLinear Div Dropout Elu Equal Erf Exp Expand Flatten Floor
    Gather Gelu Gemm GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual GroupNormalization HardSigmoid
    HardSwish Identity InstanceNormalization LayerNormalization LeakyRelu Less LessOrEqual Log MatMul Max
    MaxPool Mean Min Mish Mod Mul Neg Not Or PRelu Pad Pow QuantizeLinear Range Reciprocal ReduceMax ReduceMean
    ReduceMin ReduceSum Relu Reshape Resize Round Selu Shape Sigmoid Sign Sin Slice Softmax Softplus Softsign
    SpaceToDepth Split Sqrt Squeeze Sub Sum Tanh Tile Transpose Unsqueeze Upsample Where Xor
    """.split()  # noqa: SIM905 - a list of a hundred lines says no more
)
MAX_NODES: Final = 5_000
MAX_NETWORK_BYTES: Final = 64_000_000


@dataclass(frozen=True, slots=True)
class NetworkSummary:
    """What a network is made of."""

    nodes: int
    operators: list[str]
    parameters: int


def check_operators(file: Path) -> NetworkSummary:
    """Check a network. Raises UsageError with the first thing that is not allowed."""
    model = _read(file)
    graph = model.graph
    if model.functions:
        raise UsageError(f"{file.name} brings functions of its own; only plain operators are taken")
    if not graph.node:
        raise UsageError(f"{file.name} holds no network; export the style again")
    if len(graph.node) > MAX_NODES:
        raise UsageError(f"{file.name} has {len(graph.node)} nodes; {MAX_NODES} is the limit for a network")
    if graph.sparse_initializer:
        raise UsageError(f"{file.name} has sparse weights; export it with dense ones")
    tensors = list(graph.initializer)
    for node in graph.node:
        tensors += _checked_tensors(node, file.name)
    for tensor in tensors:
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            raise UsageError(f"{file.name} keeps weights in another file; export it in one piece")
    # a hostile file may hold negative sizes
    parameters = sum(math.prod(max(side, 0) for side in t.dims) for t in graph.initializer)
    return NetworkSummary(len(graph.node), sorted({n.op_type for n in graph.node}), parameters)


def _read(file: Path) -> onnx.ModelProto:
    size = file.stat().st_size
    if size > MAX_NETWORK_BYTES:
        raise UsageError(
            f"{file.name} has {size / 1e6:.0f} MB; {MAX_NETWORK_BYTES / 1e6:.0f} MB is the limit for a network"
        )
    try:
        return onnx.load_model_from_string(file.read_bytes())
    except (DecodeError, ValueError, MemoryError):
        raise UsageError(f"{file.name} is no ONNX file; export the style again") from None


def _checked_tensors(node: onnx.NodeProto, file: str) -> list[onnx.TensorProto]:
    """The tensors among a node's attributes. Raises UsageError where its operator, or an attribute, is not allowed."""
    if node.domain not in ALLOWED_DOMAINS or node.op_type not in ALLOWED_OPERATORS:
        name = f"{node.domain}.{node.op_type}".lstrip(".")
        raise UsageError(f"{file} uses the operator {name[:60]!r}, which a style may not use")
    tensors = []
    for attribute in node.attribute:
        if attribute.HasField("g") or attribute.graphs:
            raise UsageError(f"{file} hides a network in the operator {node.op_type!r}, which a style may not")
        tensors += [attribute.t] if attribute.HasField("t") else []
        tensors += attribute.tensors
    return tensors
