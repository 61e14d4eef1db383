"""A deployed network -> a small ONNX file, and what such a file draws."""

from __future__ import annotations

import io
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import engines.runtimes.openvino
from streamtoon.types import U8


def to_onnx(deployed: nn.Module, size: int, *, whole_picture: bool = False) -> bytes:
    """The ONNX file of a deployed network: N free from 1 to 8; of whole pictures height and width too."""
    free = {"crops": {0: "n"}, "drawn": {0: "n"}}
    if whole_picture:
        free = {"crops": {0: "n", 1: "h", 2: "w"}, "drawn": {0: "n", 1: "rows", 2: "columns"}}
    buffer = io.BytesIO()
    sink: Any = buffer  # its stubs know file names only
    example = torch.zeros(2, size, size, 3, dtype=torch.uint8)
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore")
        torch.onnx.export(
            deployed, (example,), sink, input_names=["crops"], output_names=["drawn"], opset_version=17, dynamo=False,
            dynamic_axes=free,
            do_constant_folding=whole_picture,  # the hatch texture stays in bytes: a quarter of the size
        )  # fmt: skip
    return compact(buffer.getvalue(), whole_picture=whole_picture)


def compact(data: bytes, *, whole_picture: bool) -> bytes:
    """The same graph with its large constants stored in fewer bytes and cast back at load: half, or uint8 texture."""
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load_from_string(data)
    graph, casts = model.graph, []
    for node in [n for n in graph.node if n.op_type == "Constant"]:  # constants become initialisers: one case, not two
        value = node.attribute[0].t
        if len(value.raw_data) > 4096:
            value.name = node.output[0]
            graph.initializer.append(value)
            graph.node.remove(node)
    if whole_picture:  # a head network's texture would grow
        computed(graph)
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype not in (np.float32, np.float16) or values.size < 64:
            continue
        whole = np.array_equal(values, values.astype(np.uint8))
        halves = values.dtype == np.float32 and np.array_equal(values, values.astype(np.float16))
        if not whole and not halves:
            continue
        small = numpy_helper.from_array(values.astype(np.uint8 if whole else np.float16), f"{tensor.name}.small")
        casts.append(helper.make_node("Cast", [small.name], [tensor.name], to=tensor.data_type))
        tensor.CopyFrom(small)
    for cast in reversed(casts):
        graph.node.insert(0, cast)
    names = [t.name for t in graph.initializer] + [o for node in graph.node for o in node.output]
    ends = {graph.input[0].name, graph.output[0].name}
    short = {name: f"t{n}" for n, name in enumerate(names) if name not in ends}  # names were a twentieth of the file
    for node in graph.node:
        node.name = ""
        node.input[:] = [short.get(name, name) for name in node.input]
        node.output[:] = [short.get(name, name) for name in node.output]
    for tensor in graph.initializer:
        tensor.name = short[tensor.name]
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def computed(graph: Any) -> None:
    """Compute what follows from constants alone, such as a Pad's amounts: TensorRT wants them written down."""
    from onnx import numpy_helper
    from onnx.reference import ReferenceEvaluator

    known = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    for node in list(graph.node):
        if node.op_type == "Constant":
            known[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        elif node.input and all(name in known for name in node.input):
            value = ReferenceEvaluator(node).run(None, {name: known[name] for name in node.input})[0]
            known[node.output[0]] = value
            graph.initializer.append(numpy_helper.from_array(value, node.output[0]))
            graph.node.remove(node)
    used = {name for node in graph.node for name in node.input}
    for node in [n for n in graph.node if n.op_type == "Constant" and n.output[0] not in used]:
        graph.node.remove(node)
    for tensor in [t for t in graph.initializer if t.name not in used]:
        graph.initializer.remove(tensor)


def run_onnx(data: bytes, crops: U8) -> U8:
    """What the file draws in full precision, (N, h, w, 4) uint8: by the embedded engine, as users run it."""
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        file.write(data)
        file.flush()
        engine = engines.runtimes.openvino.load(Path(file.name), precision="f32")
    try:
        return engine(crops)
    finally:
        engine.close()
