"""The generator of CycleGAN at full size with weights from a seed: the graph every way to TensorRT is proved on.

Zhu et al., arXiv 1703.10593, appendix 7.2: c7s1-64, d128, d256, nine R256, u128, u64, c7s1-3, with reflection padding,
InstanceNorm and transposed convolutions: what a network trained here leaves out because TensorRT is slow at it.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

OPSET: Final = 17


def resnet9(size: int = 256, width: int = 64, blocks: int = 9, seed: int = 0) -> bytes:
    """The ONNX file: uint8 (N, size, size, 3) RGB in, uint8 (N, size, size, 4) RGBA out, alpha 255, N free.

    width is the channels of the first layer (ngf); weights are He's, so that no layer dies or explodes.
    """
    graph = Graph(seed)
    x = graph.add("Cast", ["crops"], to=1)
    x = graph.add("Transpose", [x], perm=[0, 3, 1, 2])
    x = graph.add("Sub", [graph.add("Mul", [x, graph.keep(np.float32(1 / 127.5))]), graph.keep(np.float32(1))])
    x = graph.norm(graph.conv(graph.reflect(x, 3), 3, width, 7), width)
    for channels in (width, 2 * width):
        x = graph.norm(graph.conv(x, channels, 2 * channels, 3, strides=[2, 2], pads=[1, 1, 1, 1]), 2 * channels)
    wide = 4 * width
    for _ in range(blocks):
        y = graph.norm(graph.conv(graph.reflect(x, 1), wide, wide, 3), wide)
        y = graph.norm(graph.conv(graph.reflect(y, 1), wide, wide, 3), wide, relu=False)
        x = graph.add("Add", [x, y])
    for channels in (wide, 2 * width):
        x = graph.norm(graph.up(x, channels, channels // 2), channels // 2)
    x = graph.add("Tanh", [graph.conv(graph.reflect(x, 3), width, 3, 7)])
    x = graph.add("Add", [graph.add("Mul", [x, graph.keep(np.float32(127.5))]), graph.keep(np.float32(127.5))])
    # alpha 255 of the right shape: the first channel, which a weight of nothing and a bias make opaque
    rows = np.concatenate([np.eye(3), np.zeros((1, 3))]).astype(np.float32)[:, :, None, None]
    bias = graph.keep(np.array([0, 0, 0, 255], np.float32))
    x = graph.add("Conv", [x, graph.keep(rows), bias], kernel_shape=[1, 1])
    x = graph.add("Round", [x])
    x = graph.add("Clip", [x, graph.keep(np.float32(0)), graph.keep(np.float32(255))])
    x = graph.add("Transpose", [x], perm=[0, 2, 3, 1])
    graph.add("Cast", [x], name="drawn", to=2)
    return graph.file(size)


class Graph:
    """Nodes and weights as they are added; every method gives the name of what it made."""

    def __init__(self, seed: int) -> None:
        self._nodes: list[Any] = []
        self._weights: list[Any] = []
        self._rng = np.random.default_rng(seed)

    def add(self, kind: str, inputs: list[str], name: str = "", **attributes: Any) -> str:
        """One operator."""
        from onnx import helper

        name = name or f"x{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def keep(self, values: npt.NDArray[Any] | np.generic) -> str:
        """A weight or a constant."""
        from onnx import numpy_helper

        name = f"w{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def reflect(self, x: str, by: int) -> str:
        """Reflection padding."""
        pads = np.array([0, 0, by, by, 0, 0, by, by], np.int64)
        return self.add("Pad", [x, self.keep(pads)], mode="reflect")

    def _weight(self, *shape: int, fan_in: int) -> str:
        return self.keep((self._rng.standard_normal(shape) * np.sqrt(2 / fan_in)).astype(np.float32))

    def conv(self, x: str, inp: int, out: int, side: int, **attributes: Any) -> str:
        """A convolution, its bias 0."""
        weight = self._weight(out, inp, side, side, fan_in=inp * side * side)
        bias = self.keep(np.zeros(out, np.float32))
        return self.add("Conv", [x, weight, bias], kernel_shape=[side, side], **attributes)

    def up(self, x: str, inp: int, out: int) -> str:
        """A transposed convolution to twice the size."""
        weight = self._weight(inp, out, 3, 3, fan_in=inp * 9 // 4)
        bias = self.keep(np.zeros(out, np.float32))
        where: dict[str, Any] = {
            "kernel_shape": [3, 3],
            "strides": [2, 2],
            "pads": [1, 1, 1, 1],
            "output_padding": [1, 1],
        }
        return self.add("ConvTranspose", [x, weight, bias], **where)

    def norm(self, x: str, channels: int, *, relu: bool = True) -> str:
        """InstanceNorm, then ReLU."""
        scale, bias = self.keep(np.ones(channels, np.float32)), self.keep(np.zeros(channels, np.float32))
        x = self.add("InstanceNormalization", [x, scale, bias], epsilon=1e-5)
        return self.add("Relu", [x]) if relu else x

    def file(self, size: int) -> bytes:
        """The ONNX file of what was added."""
        from onnx import TensorProto, checker, helper

        ends = [
            helper.make_tensor_value_info(name, TensorProto.UINT8, ["n", size, size, channels])
            for name, channels in (("crops", 3), ("drawn", 4))
        ]
        graph = helper.make_graph(self._nodes, "resnet9", ends[:1], ends[1:], self._weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
        checker.check_model(model)
        return bytes(model.SerializeToString())
