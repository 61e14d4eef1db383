"""ONNX files written by hand: the networks that TensorRT is proved and measured on, with weights from a seed."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

OPSET: Final = 17


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
        """The ONNX file of what was added: a head network for crops of ``size`` px, a picture network where it is 0."""
        sides = [size, size] if size else ["h", "w"]
        return self._file(["n", *sides, 3], ["n", *sides, 4] if size else ["n", "rows", "across"])

    def _file(self, *shapes: list[int | str]) -> bytes:
        from onnx import TensorProto, checker, helper

        ends = [
            helper.make_tensor_value_info(name, TensorProto.UINT8, shape)
            for name, shape in zip(("crops", "drawn"), shapes, strict=True)
        ]
        graph = helper.make_graph(self._nodes, "network", ends[:1], ends[1:], self._weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
        checker.check_model(model)
        return bytes(model.SerializeToString())
