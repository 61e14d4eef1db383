"""Picture networks with weights from a seed: what one costs, and who draws it, can be tried before one is trained.

As the networks of ``train``: half size by unshuffling, a step down, inverted residuals, a step up with an additive
skip, and shuffling back. Luma is a residual on the input's luma enlarged, chroma one on the input's chroma.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from trt_build.graph import Graph

LUMA: Final = (0.299, 0.587, 0.114)  # BT.601
CHROMA: Final = ((-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))  # blue, red; of full range
STRENGTH: Final = 48.0  # levels by which the drawing differs from the picture, about


def picture_network(widths: tuple[int, int] = (8, 12), scale: int = 2, seed: int = 0) -> bytes:
    """The ONNX file: uint8 (N, h, w, 3) RGB in, uint8 (N, scale * h * 3 / 2, scale * w) I420 out; N, h and w free.

    widths: channels at half and at a quarter of the input's size. scale: 1 or 2.
    """
    graph, (a, b) = Graph(seed), widths
    rgb = graph.add("Transpose", [graph.add("Cast", ["crops"], to=1)], perm=[0, 3, 1, 2])
    x = graph.add("Sub", [graph.add("Mul", [rgb, graph.keep(np.float32(1 / 127.5))]), graph.keep(np.float32(1))])
    half = _relu(graph, _conv(graph, graph.add("SpaceToDepth", [x], blocksize=2), 12, a, 3))
    x = _relu(graph, _conv(graph, half, a, b, 3, step=2))
    wide = _relu(graph, _conv(graph, _relu(graph, _conv(graph, x, b, 2 * b, 1)), 2 * b, 2 * b, 3, groups=2 * b))
    x = graph.add("Add", [x, _conv(graph, wide, 2 * b, b, 1)])
    x = graph.add("Add", [_larger(graph, _relu(graph, _conv(graph, x, b, a, 1)), "nearest"), half])
    # sides of luma are 2 * scale, those of chroma scale times the features'
    luma, chroma = 4 * scale * scale, 2 * scale * scale
    x = graph.add("Mul", [_conv(graph, x, a, luma + chroma, 3), graph.keep(np.float32(STRENGTH / 4))])
    y = graph.add("Add", [_shuffled(graph, x, (0, luma), 2 * scale), _input_luma(graph, rgb, scale)])
    uv = graph.add("Add", [_shuffled(graph, x, (luma, luma + chroma), scale), _input_chroma(graph, rgb, scale)])
    # U below Y, then V: rows as wide as luma's
    across = graph.add("Gather", [graph.add("Shape", [y]), graph.keep(np.array([3], np.int64))], axis=0)
    rows = graph.add("Concat", [graph.keep(np.array([0, 1, -1], np.int64)), across], axis=0)
    x = graph.add("Concat", [y, graph.add("Reshape", [uv, rows])], axis=2)
    x = graph.add("Squeeze", [x, graph.keep(np.array([1], np.int64))])
    x = graph.add("Clip", [graph.add("Round", [x]), graph.keep(np.float32(0)), graph.keep(np.float32(255))])
    graph.add("Cast", [x], name="drawn", to=2)
    return graph.file(0)


def _relu(graph: Graph, x: str) -> str:
    return graph.add("Relu", [x])


def _conv(graph: Graph, x: str, inp: int, out: int, side: int, *, step: int = 1, groups: int = 1) -> str:
    return graph.conv(x, inp // groups, out, side, strides=[step, step], pads=[side // 2] * 4, group=groups)


def _larger(graph: Graph, x: str, mode: str) -> str:
    """To twice the size, as torch enlarges."""
    how = {"nearest": "asymmetric", "linear": "half_pixel"}[mode]
    scales = graph.keep(np.array([1, 1, 2, 2], np.float32))
    more = {"nearest_mode": "floor"} if mode == "nearest" else {}
    return graph.add("Resize", [x, "", scales], mode=mode, coordinate_transformation_mode=how, **more)


def _shuffled(graph: Graph, x: str, channels: tuple[int, int], block: int) -> str:
    """Those channels of ``x`` as larger planes."""
    where = [graph.keep(np.array([n], np.int64)) for n in (*channels, 1)]  # from, to, along which axis
    x = graph.add("Slice", [x, *where])
    return x if block == 1 else graph.add("DepthToSpace", [x], blocksize=block, mode="CRD")


def _mixed(graph: Graph, rgb: str, weights: tuple[float, ...]) -> str:
    """One plane of a weighted sum of three; no convolution, which INT8 would spoil."""
    values = 3 * np.array(weights, np.float32)[None, :, None, None]  # three times, as the mean is taken
    return graph.add("ReduceMean", [graph.add("Mul", [rgb, graph.keep(values)])], axes=[1])


def _input_luma(graph: Graph, rgb: str, scale: int) -> str:
    y = _mixed(graph, rgb, LUMA)
    return y if scale == 1 else _larger(graph, y, "linear")


def _input_chroma(graph: Graph, rgb: str, scale: int) -> str:
    uv = graph.add("Concat", [_mixed(graph, rgb, weights) for weights in CHROMA], axis=1)
    uv = graph.add("Add", [uv, graph.keep(np.float32(128))])
    return uv if scale == 2 else graph.add("AveragePool", [uv], kernel_shape=[2, 2], strides=[2, 2])
