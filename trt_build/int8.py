"""fp32 -> INT8 for TensorRT: explicit Q/DQ pairs around convolutions, symmetric, scales from calibration crops.

Scales are those that cost the least squared error on what a tensor held while the calibration crops were drawn (Banner
et al., arXiv 1810.05723, section 3, by search). Convolutions that cost most are found one by one and left in fp32, as
many as parity asks for. Weights are int8 in the file, one scale a channel.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from engines import U8, EngineError, libraries

CLIPS: Final = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)  # shares of a tensor's largest value tried as its scale's end
SAMPLES: Final = 20_000  # values of a tensor that are kept of each crop
STEPS: Final = 6  # how many more convolutions stay in fp32 at a time, in parts of all

Judge = Callable[[bytes], float]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a tensor held: a sample of its values, and the largest magnitude."""

    values: npt.NDArray[np.float32]
    largest: float


def quantise(
    model: Any, calibration: U8, judges: tuple[Judge, Judge], need: float, tell: Callable[[str, float], None]
) -> bytes:
    """The network in INT8, near enough: the first judge finds at least ``need`` dB.

    model: an onnx.ModelProto with fp32 weights and named nodes, which is not changed. calibration: uint8
    (N, h, w, 3) pictures. judges: PSNR in dB of a file against fp32; the second, quicker one ranks convolutions.
    tell: is told a phase and its share, 0..1; what it raises ends this.
    Raises EngineError where even half of the convolutions in fp32 is not near enough.
    """
    judge, rank = judges
    weights = {t.name: t for t in model.graph.initializer}
    convs = [n for n in model.graph.node if n.op_type == "Conv" and n.input[1] in weights]
    if not convs:
        raise EngineError("the network has no convolution that INT8 could speed up")
    seen = _watch(model, sorted({n.input[0] for n in convs}), calibration, tell)
    scales = {name: _scale(tensor) for name, tensor in seen.items()}
    data = _placed(model, {n.name for n in convs}, scales)
    found = judge(data)
    if found >= need:
        return data
    cost = {}
    for number, node in enumerate(convs):
        tell("ranking layers", number / len(convs))
        cost[node.name] = rank(_placed(model, {node.name}, scales))
    order = sorted(cost, key=lambda name: -cost[name])  # the cheapest first
    step = max(1, len(convs) // (2 * STEPS))
    for kept in range(step, len(convs) // 2 + 1, step):
        tell("choosing layers", 2 * kept / len(convs))
        data = _placed(model, set(order[: len(order) - kept]), scales)
        found = judge(data)
        if found >= need:
            return data
    raise EngineError(
        f"in INT8 it is {found:.1f} dB from fp32 with half of it left in fp32, {need:.0f} are needed; use fp16"
    )


def _watch(model: Any, tensors: list[str], crops: U8, tell: Callable[[str, float], None]) -> dict[str, _Seen]:
    """What ``tensors`` hold while ``crops`` are drawn."""
    from onnx import helper

    ort = libraries.onnxruntime()
    watched = copy.deepcopy(model)
    watched.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in tensors)
    options = ort.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    session = ort.InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])
    fed = session.get_inputs()[0].name
    rng = np.random.default_rng(0)
    samples: dict[str, list[npt.NDArray[np.float32]]] = {name: [] for name in tensors}
    largest = dict.fromkeys(tensors, 0.0)
    for number, crop in enumerate(crops):
        tell("calibrating", number / len(crops))
        for name, values in zip(tensors, session.run(tensors, {fed: crop[None]}), strict=True):
            flat = values.ravel()
            samples[name].append(rng.choice(flat, SAMPLES) if flat.size > SAMPLES else flat)
            largest[name] = max(largest[name], float(np.abs(flat).max()))
    return {name: _Seen(np.concatenate(samples[name]), largest[name]) for name in tensors}


def _scale(seen: _Seen) -> np.float32:
    """The scale that costs ``seen`` the least squared error in int8."""
    ends = [max(seen.largest, 1e-8) * share / 127 for share in CLIPS]

    def cost(scale: float) -> float:
        error = seen.values - np.clip(np.round(seen.values / scale), -128, 127) * scale
        return float(np.mean(error**2))

    return np.float32(min(ends, key=cost))


def _placed(model: Any, chosen: set[str], scales: dict[str, np.float32]) -> bytes:
    """The file with Q/DQ pairs at the inputs of the ``chosen`` convolutions, and their weights in int8."""
    from onnx import helper, numpy_helper

    made = copy.deepcopy(model)
    graph = made.graph
    weights = {t.name: t for t in graph.initializer}
    nodes: list[Any] = []
    pairs: dict[str, str] = {}
    for node in graph.node:
        if node.name in chosen:
            fed, weight = node.input[0], node.input[1]
            if fed not in pairs:
                pairs[fed] = f"{fed}.dq"
                graph.initializer.append(numpy_helper.from_array(scales[fed], f"{fed}.scale"))
                graph.initializer.append(numpy_helper.from_array(np.int8(0), f"{fed}.zero"))
                rest = [f"{fed}.scale", f"{fed}.zero"]
                nodes.append(helper.make_node("QuantizeLinear", [fed, *rest], [f"{fed}.q"]))
                nodes.append(helper.make_node("DequantizeLinear", [f"{fed}.q", *rest], [pairs[fed]]))
            values = numpy_helper.to_array(weights[weight])
            ends = np.maximum(np.abs(values).max(axis=(1, 2, 3)), 1e-8).astype(np.float32) / 127
            small = np.clip(np.round(values / ends[:, None, None, None]), -127, 127).astype(np.int8)
            names = [f"{node.name}.{part}" for part in ("weight", "scale", "zero")]
            for name, array in zip(names, (small, ends, np.zeros(len(ends), np.int8)), strict=True):
                graph.initializer.append(numpy_helper.from_array(array, name))
            nodes.append(helper.make_node("DequantizeLinear", names, [f"{node.name}.dq"], axis=0))
            node.input[0], node.input[1] = pairs[fed], f"{node.name}.dq"
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in graph.node for name in node.input}
    kept = [t for t in graph.initializer if t.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    return bytes(made.SerializeToString())
