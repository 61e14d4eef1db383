"""What drawing a picture costs at least: arithmetic and memory traffic counted from the network; what a card can do.

The floor of a batch is the larger of its arithmetic over the card's matrix rate and its traffic over the card's memory
rate, both measured on the same card by way of the same TensorRT; it takes every layer's input and output through memory
once, elementwise layers fused into the convolution before them.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from engines import U8, libraries, nvidia
from engines.runtimes import tensorrt
from trt_build import plan, precision
from trt_build.graph import Graph
from trt_build.source import Shape, Source

BYTES_PER_VALUE: Final = {"fp32": 4, "fp16": 2}
MATRIX: Final = (2048, 24, 32)  # channels, layers and side of the network whose rate is the card's matrix rate
MATRIX_BATCH: Final = 64  # crops of a call of it
COPIED_BYTES: Final = 1 << 29  # to measure memory
TIMED_CALLS: Final = 10
WARM_UP_S: Final = 2.0  # before them: TensorRT for RTX compiles kernels beside drawing


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one picture: arithmetic operations, activation values moved (each convolution's in and out), and weights."""

    flop: int
    moved: int
    weights: int

    def floor(self, count: int, kind: str, rates: Rates) -> float:
        """Seconds that ``count`` pictures take at least."""
        traffic = (self.moved * count + self.weights) * BYTES_PER_VALUE[kind]
        return max(self.flop * count / rates.flop[kind], traffic / rates.memory)


@dataclass(frozen=True, slots=True)
class Rates:
    """What a card was measured to do: FLOP a second by precision, bytes a second to and from its memory together."""

    flop: dict[str, float]
    memory: float


def cost(onnx_path: Path, shape: Shape) -> Cost:
    """Counted while one picture of ``shape`` is drawn on the CPU: sides are the network's own, whatever it does."""
    from onnx import helper

    ort = libraries.onnxruntime()
    model = precision.plain(onnx_path)
    weights = {t.name: list(t.dims) for t in model.graph.initializer}
    convs = [n for n in model.graph.node if n.op_type in ("Conv", "ConvTranspose")]
    names = sorted({name for n in convs for name in (n.input[0], n.output[0])})
    model.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    drawn = session.run(names, {session.get_inputs()[0].name: np.zeros((1, *shape, 3), np.uint8)})
    shapes = {name: values.shape for name, values in zip(names, drawn, strict=True)}
    flop = sum(_flop(n, shapes, weights[n.input[1]]) for n in convs)
    moved = sum(int(np.prod(shapes[n.input[0]])) + int(np.prod(shapes[n.output[0]])) for n in convs)
    return Cost(flop, moved, sum(int(np.prod(weights[n.input[1]])) for n in convs))


def _flop(node: Any, shapes: dict[str, tuple[int, ...]], weight: list[int]) -> int:
    """Two for each multiply-add: each output of a convolution, each input of a transposed one, meets one filter."""
    base = shapes[node.output[0] if node.op_type == "Conv" else node.input[0]]
    return 2 * int(np.prod(base)) * int(np.prod(weight[1:]))


def rates(photo: U8) -> Rates:
    """Measure this card, by a network of nothing but matrix products. Raises EngineError where there is none.

    photo: (512, 512, 3) uint8 RGB, on whose crops the network's half precision is compared.
    """
    nvidia.gpu()
    channels, layers, side = MATRIX
    flop = {}
    with tempfile.TemporaryDirectory() as place:
        file = Path(place, "matrix.onnx")
        file.write_bytes(_matrices(channels, layers, side))
        whole = cost(file, (side, side)).flop * MATRIX_BATCH
        for kind in ("fp32", "fp16"):
            profile = (MATRIX_BATCH, MATRIX_BATCH, MATRIX_BATCH)
            made = plan(Source("matrix", file, None, side), kind, profile=profile, folder=Path(place), photo=photo)
            engine = tensorrt.TensorRT(made.path, 1)
            draw = partial(engine, np.zeros((MATRIX_BATCH, side, side, 3), np.uint8))
            try:
                warm = time.perf_counter() + WARM_UP_S
                while time.perf_counter() < warm:
                    draw()
                flop[kind] = whole / min(_timed(draw) for _ in range(TIMED_CALLS))
            finally:
                engine.close()
    return Rates(flop, _memory())


def _matrices(channels: int, layers: int, side: int) -> bytes:
    """uint8 crops through ``layers`` 1x1 convolutions of ``channels`` channels: one matrix product each."""
    graph = Graph(0)
    x = graph.add("Transpose", [graph.add("Cast", ["crops"], to=1)], perm=[0, 3, 1, 2])
    x = graph.add("Mul", [x, graph.keep(np.float32(1 / 255))])  # near 1 throughout, so that half draws the same
    x = graph.conv(x, 3, channels, 1)
    for _ in range(layers):
        x = graph.add("Relu", [graph.conv(x, channels, channels, 1)])
    x = graph.add("Sigmoid", [graph.conv(x, channels, 4, 1)])
    x = graph.add("Round", [graph.add("Mul", [x, graph.keep(np.float32(255))])])
    graph.add("Cast", [graph.add("Transpose", [x], perm=[0, 2, 3, 1])], name="drawn", to=2)
    return graph.file(side)


def _memory() -> float:
    """Bytes read and written a second while the card copies within its own memory."""
    cuda = nvidia.runtime()
    (block,) = nvidia.check(*cuda.cudaMalloc(2 * COPIED_BYTES))

    def copy() -> None:
        kind = cuda.cudaMemcpyKind.cudaMemcpyDeviceToDevice
        nvidia.check(*cuda.cudaMemcpy(int(block) + COPIED_BYTES, int(block), COPIED_BYTES, kind))
        nvidia.check(*cuda.cudaDeviceSynchronize())

    try:
        copy()
        return 2 * COPIED_BYTES / min(_timed(copy) for _ in range(TIMED_CALLS))
    finally:
        cuda.cudaFree(block)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
