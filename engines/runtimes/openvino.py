"""OpenVINO: the embedded default, on every CPU. Takes bf16 by itself where the CPU has it."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np

from engines import U8, Engine, EngineError, openvino_core
from engines.about import OWN, About, Variant
from engines.network import KEPT_SHAPES

ABOUT = About(
    rank=30,
    automatic="openvino",
    install={"openvino": 'pip install "openvino>=2026.1"'},
    variants=(Variant("openvino", OWN), Variant("openvino:f32", timed=False)),
)


class OpenVino:
    """One network, compiled for each shape of pictures that it is given; the last few of them are kept.

    It holds a batch of one: on a CPU larger batches are no quicker.
    """

    name = "openvino"

    def __init__(self, onnx_path: Path, threads: int, precision: str | None) -> None:
        self._core = openvino_core.core()
        self._model, self.network = openvino_core.read(onnx_path)
        self._config: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
        if precision is not None:
            self._config["INFERENCE_PRECISION_HINT"] = precision
        self._request = functools.lru_cache(KEPT_SHAPES)(self._compiled)
        kind = precision or self._core.get_property("CPU", "INFERENCE_PRECISION_HINT").get_type_name()
        if not self.network.whole_picture:
            self._request(self.network.size, self.network.size)
        self.device = f"{self._core.get_property('CPU', 'FULL_DEVICE_NAME').strip()}, {kind}, {threads} threads"

    def __call__(self, pictures: U8) -> U8:
        """uint8 (N, h, w, 3) RGB -> uint8, drawn as the network does; of whole pictures each is drawn alone."""
        self.network.check(pictures)
        request = self._request(*pictures.shape[1:3])
        made = request.get_output_tensor(0).data  # a view: each run writes there
        drawn = np.empty((len(pictures), *made.shape[1:]), np.uint8)
        self.network.check_drawn(pictures, drawn)
        for i, one in enumerate(pictures):
            try:
                request.infer([np.ascontiguousarray(one[None])], share_inputs=True)
            except RuntimeError as error:
                raise EngineError(f"openvino could not draw: {error}") from error
            drawn[i] = made[0]
        return drawn

    def _compiled(self, h: int, w: int) -> Any:
        """What draws pictures of that shape."""
        try:
            self._model.reshape([1, h, w, 3])
            return self._core.compile_model(self._model, "CPU", self._config).create_infer_request()
        except RuntimeError as error:
            raise EngineError(f"openvino cannot compile the network for {w}x{h} px: {error}") from error

    def close(self) -> None:
        """Free the network."""
        self._request.cache_clear()
        del self._model


def load(onnx_path: Path, precision: str | None = None, *, threads: int = 2) -> Engine:
    """Run ``onnx_path`` on the CPU. precision: "f32", "bf16", "f16" or None for the machine's own choice."""
    if precision not in (None, "f32", "bf16", "f16"):
        raise EngineError(f"openvino computes in f32, bf16 or f16, not in {precision!r}")
    return OpenVino(Path(onnx_path), threads, precision)
