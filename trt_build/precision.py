"""One network in fp32, fp16 and INT8. TensorRT is strongly typed: precision is written into the graph, here.

fp16 is the half file of the style where it has one (``train export`` made and checked it), else made from fp32: norms
and means keep fp32, and from the last convolution on as well where parity asks for it. INT8 is int8.py's.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from engines import MAX_BATCH, U8, EngineError, libraries, nvidia
from engines.compare import psnr
from engines.runtimes import onnxruntime as runtime
from trt_build import crops
from trt_build.int8 import quantise
from trt_build.source import Source, packages

KINDS: Final = ("fp32", "fp16", "int8")
NEED: Final = {"fp32": 55.0, "fp16": 45.0, "bf16": 45.0, "int8": 38.0}  # dB, least PSNR against fp32 on the CPU
NORMS: Final = ["InstanceNormalization", "LayerNormalization", "GroupNormalization", "ReduceMean"]
MARGIN: Final = 3.0  # dB above what is needed: other crops than those at hand must pass too
TRIED: Final = 24  # crops that parity is measured on while a graph is made
CALIBRATED: Final = 40  # crops at most that scales are taken from


Tell = Callable[[str, float], None]  # a phase and its share, 0..1


def graph(source: Source, kind: str, pictures: U8 | None = None, tell: Tell = lambda _phase, _share: None) -> bytes:
    """The ONNX file of ``source`` in one of KINDS. Raises EngineError.

    pictures: uint8 (N, h, w, 3), to calibrate "int8" on, or to compare "fp16" on where it has to be made.
    tell: is told how far it is; what it raises ends it.
    """
    if kind == "fp32":
        return source.onnx.read_bytes()
    if kind == "fp16" and source.fp16 is not None:
        return source.fp16.read_bytes()
    if pictures is None:
        doing = "calibrate" if kind == "int8" else "be compared"
        raise EngineError(f"{'INT8' if kind == 'int8' else kind} needs crops to {doing} on")
    if kind == "fp16":
        return half(source.onnx, pictures, tell)
    return int8(source.onnx, pictures, tell)


def crops_for(source: Source, kind: str, photo: U8 | None, own: U8 | None = None) -> U8 | None:
    """The crops or pictures that ``graph`` takes for ``kind``; None where it takes none, or there are none.

    photo: a face to make them of (crops.moved); own: others, (N, h, w, 3) uint8, to calibrate on instead.
    """
    if kind == "int8":
        return crops.made(source, photo, crops.CALIBRATION_SEED) if own is None and photo is not None else own
    if kind == "fp16" and source.fp16 is None:
        return own if photo is None else crops.made(source, photo, count=2)
    return None


def half(onnx_path: Path, pictures: U8, tell: Tell = lambda _phase, _share: None) -> bytes:
    """An fp32 network in fp16, its ends as they are; the tail keeps fp32 where parity on ``pictures`` asks for it.

    ONNX Runtime judges, which on a CPU computes fp16 graphs in fp32: it sees weights and ranges that half cannot hold.
    What half arithmetic costs shows on the GPU, to ``streamtoon engine check``. Raises EngineError where fp16 is not
    near enough either way.
    """
    tell("fp16: drawing in fp32", 0.0)
    model = plain(onnx_path)
    _alone(model.graph)
    float16 = libraries.onnxruntime("transformers.float16")
    last = max((i for i, node in enumerate(model.graph.node) if node.op_type.startswith("Conv")), default=0)
    wanted, found = _drawn(onnx_path, pictures), 0.0
    for tried, kept in enumerate(([], [node.name for node in model.graph.node[last:]])):
        tell("fp16: comparing with fp32", (1 + tried) / 3)
        data = _sorted(
            float16.convert_float_to_float16(
                copy.deepcopy(model), keep_io_types=True, op_block_list=NORMS, node_block_list=kept
            )
        )
        found = near(data, wanted, pictures)
        if found >= NEED["fp16"]:
            return data
    raise EngineError(f"{onnx_path.name} in fp16 is {found:.1f} dB from fp32, not {NEED['fp16']:.0f}; use fp32")


def int8(onnx_path: Path, calibration: U8, tell: Tell) -> bytes:
    """An fp32 network in INT8, calibrated on crops and near enough on others among them."""
    packages()
    if len(calibration) < 2:
        raise EngineError(f"INT8 needs crops to calibrate on, 2 at least; {len(calibration)} were given")
    judged = calibration[:: max(2, len(calibration) // TRIED)]
    rest = np.delete(calibration, slice(None, None, max(2, len(calibration) // TRIED)), axis=0)[:CALIBRATED]
    wanted = _drawn(onnx_path, judged)
    some = slice(None, None, 4)  # enough to compare one convolution with another

    def whole(data: bytes) -> float:
        return near(data, wanted, judged)

    def part(data: bytes) -> float:
        return near(data, wanted[some], judged[some])

    try:
        return quantise(plain(onnx_path), rest, (whole, part), NEED["int8"] + MARGIN, tell)
    except EngineError as error:
        raise EngineError(f"{onnx_path.name}: {error}") from error


def near(data: bytes, wanted: U8, pictures: U8) -> float:
    """PSNR in dB between what an ONNX file draws of ``pictures``, by ONNX Runtime on the CPU, and ``wanted``."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "graph.onnx")
        file.write_bytes(data)
        return psnr(_drawn(file, pictures), wanted)


def _drawn(path: Path, pictures: U8) -> U8:
    engine = runtime.load(path, "cpu")
    try:
        return np.concatenate([engine(pictures[i : i + MAX_BATCH]) for i in range(0, len(pictures), MAX_BATCH)])
    finally:
        engine.close()


def plain(onnx_path: Path) -> Any:
    """The network with its weights in fp32 and its nodes named: a style's file holds them smaller, behind casts."""
    packages()
    import onnx

    ort = libraries.onnxruntime()
    with tempfile.TemporaryDirectory() as folder:
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(Path(folder, "plain.onnx"))
        options.log_severity_level = 4
        try:
            ort.InferenceSession(str(onnx_path), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            why = nvidia.plain(str(error))
            raise EngineError(f"ONNX Runtime, which reads it, does not take {onnx_path.name}: {why}") from error
        model = onnx.load(options.optimized_model_filepath)
    for number, node in enumerate(model.graph.node):
        node.name = f"n{number}"
    return model


def _alone(graph: Any) -> None:
    """Give every use of a weight a copy of its own: the converter casts one twice that two nodes in fp32 share."""
    weights = {t.name: t for t in graph.initializer}
    seen: set[str] = set()
    for node in graph.node:
        for i, name in enumerate(node.input):
            if name in seen:
                copied = copy.deepcopy(weights[name])
                copied.name = f"{name}.{node.name}.{i}"
                graph.initializer.append(copied)
                node.input[i] = copied.name
            elif name in weights:
                seen.add(name)


def _direct(graph: Any) -> None:
    """Take out fp32 -> fp16 -> fp32: the converter rounds between any two nodes that it leaves in fp32."""
    # the converter's own casts alone: what the network casts to half was not fp32 before
    halved = {n.output[0]: n.input[0] for n in graph.node if n.name.endswith("_cast_to_fp16_node")}
    back = {
        n.output[0]: halved[n.input[0]]
        for n in graph.node
        if n.name.endswith("_cast_to_fp32_node") and n.input[0] in halved
    }
    for node in graph.node:
        node.input[:] = [back.get(name, name) for name in node.input]
    used = {name for node in graph.node for name in node.input} | {t.name for t in graph.output}
    while unused := [n for n in graph.node if n.op_type == "Cast" and n.output[0] not in used]:
        for node in unused:
            graph.node.remove(node)
        used = {name for node in graph.node for name in node.input} | {t.name for t in graph.output}


def _sorted(model: Any) -> bytes:
    """The file with every node behind those it needs: the converter appends its casts at the end."""
    graph = model.graph
    _direct(graph)
    waiting = list(graph.node)
    ready = {"", *(t.name for t in graph.initializer), *(t.name for t in graph.input)}
    done: list[Any] = []
    while waiting:
        free = [n for n in waiting if set(n.input) <= ready]
        if not free:
            raise EngineError("the network's nodes wait for each other")
        done += free
        ready |= {name for node in free for name in node.output}
        waiting = [n for n in waiting if not any(n is f for f in free)]
    del graph.node[:]
    graph.node.extend(done)
    return bytes(model.SerializeToString())
