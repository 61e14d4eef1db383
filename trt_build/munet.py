"""The compact networks of the styles, of any width and with weights from a seed: what they cost can be measured here.

As ``train`` has them (its nets.py says which papers): half size by unshuffling, two steps down, inverted residuals, a
look at the whole, two steps up with additive skips, a hatch texture beside the last features, and shuffling back.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from trt_build.graph import Graph

BLOCKS: Final = 4
HATCH: Final = 8  # channels of the texture at half size


def munet(width: int, size: int = 256, seed: int = 0) -> bytes:
    """The ONNX file: uint8 (N, size, size, 3) RGB in, uint8 (N, size, size, 4) RGBA out, N free. width: 24, 32, ..."""
    graph, w = Graph(seed), width
    x = graph.add("Transpose", [graph.add("Cast", ["crops"], to=1)], perm=[0, 3, 1, 2])
    x = graph.add("Sub", [graph.add("Mul", [x, graph.keep(np.float32(1 / 127.5))]), graph.keep(np.float32(1))])
    half = _conv(graph, graph.add("SpaceToDepth", [x], blocksize=2), 12, w, 3)
    quarter = _conv(graph, half, w, 2 * w, 3, step=2)
    small = _conv(graph, quarter, 2 * w, 4 * w, 3, step=2)
    for _ in range(BLOCKS):
        small = _residual(graph, small, 4 * w, 5)
    whole = graph.add("ReduceMean", [small], axes=[2, 3])
    whole = _conv(graph, _conv(graph, whole, 4 * w, 4 * w, 1), 4 * w, 4 * w, 1, relu=False)
    small = graph.add("Add", [small, whole])
    quarter = _residual(graph, _up(graph, small, quarter, 4 * w, 2 * w), 2 * w, 3)
    last = _up(graph, quarter, half, 2 * w, w)
    # the texture for every crop of the batch: channels of the input, which costs what reading it costs
    waves = graph.add("Slice", [half, *(graph.keep(np.array([n], np.int64)) for n in (0, HATCH, 1))])
    last = _conv(graph, graph.add("Concat", [last, waves], axis=1), w + HATCH, w, 3)
    x = graph.add("DepthToSpace", [_conv(graph, last, w, 16, 3, relu=False)], blocksize=2, mode="CRD")
    x = graph.add("Mul", [graph.add("Sigmoid", [x]), graph.keep(np.float32(255))])
    x = graph.add("Clip", [graph.add("Round", [x]), graph.keep(np.float32(0)), graph.keep(np.float32(255))])
    graph.add("Cast", [graph.add("Transpose", [x], perm=[0, 2, 3, 1])], name="drawn", to=2)
    return graph.file(size)


def _conv(
    graph: Graph, x: str, inp: int, out: int, side: int, *, step: int = 1, groups: int = 1, relu: bool = True
) -> str:
    x = graph.conv(x, inp // groups, out, side, strides=[step, step], pads=[side // 2] * 4, group=groups)
    return graph.add("Relu", [x]) if relu else x


def _residual(graph: Graph, x: str, channels: int, side: int) -> str:
    """Adds project(depthwise(expand(x))), twice as wide inside."""
    wide = 2 * channels
    y = _conv(graph, _conv(graph, x, channels, wide, 1), wide, wide, side, groups=wide)
    return graph.add("Add", [x, _conv(graph, y, wide, channels, 1, relu=False)])


def _up(graph: Graph, x: str, skip: str, inp: int, out: int) -> str:
    """Narrowed, to twice the size, added to what was there on the way down."""
    x = _conv(graph, x, inp, out, 1, relu=False)
    scales = graph.keep(np.array([1, 1, 2, 2], np.float32))
    x = graph.add("Resize", [x, "", scales], mode="nearest", coordinate_transformation_mode="asymmetric")
    return _conv(graph, graph.add("Add", [x, skip]), out, out, 3)
