"""An ONNX graph run by torch, operator by operator: the style's own graph and weights, as torch computes them.

It reads the ONNX file, because that is what a style folder holds: a checkpoint would need the code of its network,
which engines may not import. `train export` proves that file equal to the checkpoint; here an implementation that
shares nothing with the other engines draws from it. On a GPU each batch size of each shape is captured once as a CUDA
graph.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from engines import MAX_BATCH, U8, EngineError
from engines.network import KEPT_SHAPES, declared
from engines.torch_operators import OPERATORS, Value

KEPT_GRAPHS: Final = KEPT_SHAPES * MAX_BATCH


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
        if len(graph.input) != 1 or len(graph.output) != 1:
            raise EngineError(
                f"{onnx_path.name} has {len(graph.input)} inputs, {len(graph.output)} outputs, not one each"
            )
        ends = [end.type.tensor_type for end in (graph.input[0], graph.output[0])]
        kinds = [helper.tensor_dtype_to_np_dtype(end.elem_type).name for end in ends]
        self._network = declared(kinds, *([int(side.dim_value) for side in end.shape.dim] for end in ends))
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
        self._captured = functools.lru_cache(KEPT_GRAPHS)(self._capture)
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
        """uint8 (N, h, w, 3) RGB -> uint8, drawn as the network does."""
        self._network.check(pictures)
        with torch.inference_mode():
            try:
                fed = torch.from_numpy(np.ascontiguousarray(pictures))
                made = self._run(fed) if self._device.type == "cpu" else self._replay(fed)
            except RuntimeError as error:
                raise EngineError(f"torch could not draw: {str(error).splitlines()[0]}") from error
            drawn = np.asarray(made.cpu().numpy(), np.uint8)
        self._network.check_drawn(pictures, drawn)
        return drawn

    def _replay(self, pictures: Tensor) -> Tensor:
        """Through the CUDA graph of this batch size and shape, captured at its first use."""
        graph, fed, made = self._captured(tuple(pictures.shape))
        fed.copy_(pictures)
        graph.replay()
        drawn: Tensor = made
        return drawn

    def _capture(self, shape: tuple[int, ...]) -> tuple[Any, Tensor, Tensor]:
        """The graph, what it reads and what it writes."""
        fed = torch.zeros(shape, dtype=torch.uint8, device=self._device)
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())  # which fills it
        with torch.cuda.stream(aside):  # once outside the capture: libraries set themselves up there
            self._run(fed)
        aside.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            made = self._run(fed)
        return graph, fed, made

    def close(self) -> None:
        """Free the weights and graphs."""
        self._captured.cache_clear()
        self._weights.clear()


def _read_here(graph: Any) -> set[str]:
    """What is read as numbers, and all that it is made of: while a CUDA graph is captured the GPU may not be asked."""
    read = set()
    for node in reversed(graph.node):
        if node.op_type in ("Clip", "Pad", "Resize", "Slice"):
            read |= set(node.input[1:])
        elif node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            read |= set(node.input[2:])
        elif node.op_type != "Shape" and read & set(node.output):
            read |= set(node.input)
    return read
