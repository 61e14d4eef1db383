"""OpenVINO: the embedded default, on every CPU. Takes bf16 by itself where the CPU has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from engines import U8, Engine, EngineError, check_crops, openvino_core
from engines.about import OWN, About, Variant

ABOUT = About(
    rank=30,
    automatic="openvino",
    install={"openvino": 'pip install "openvino>=2026.1"'},
    variants=(Variant("openvino", OWN), Variant("openvino:f32", timed=False)),
)


class OpenVino:
    """One compiled network. It holds a batch of one: on a CPU larger batches are no quicker."""

    name = "openvino"

    def __init__(self, onnx_path: Path, threads: int, precision: str | None) -> None:
        from openvino import frontend

        core = openvino_core.core()
        # the ONNX reader by name: read_model would ask every other format's reader too, and they complain on stderr
        reader = frontend.FrontEndManager().load_by_framework("onnx")
        try:
            model = reader.convert(reader.load(str(onnx_path)))
            self.size = _size(model)
            model.reshape([1, self.size, self.size, 3])
            config: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
            if precision is not None:
                config["INFERENCE_PRECISION_HINT"] = precision
            compiled = core.compile_model(model, "CPU", config)
        except (
            RuntimeError,
            frontend.GeneralFailure,
            frontend.OpConversionFailure,
            frontend.OpValidationFailure,
        ) as error:
            size = onnx_path.stat().st_size
            raise EngineError(f"{onnx_path.name} is not an ONNX network it can read (found {size} bytes)") from error
        self._request = compiled.create_infer_request()
        kind = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        self.device = f"{core.get_property('CPU', 'FULL_DEVICE_NAME').strip()}, {kind}, {threads} threads"

    def __call__(self, crops: U8) -> U8:
        """uint8 (N, size, size, 3) RGB -> uint8 (N, size, size, 4) RGBA."""
        check_crops(crops, self.size)
        drawn = np.empty((*crops.shape[:3], 4), np.uint8)
        for i, one in enumerate(crops):
            try:
                self._request.infer([np.ascontiguousarray(one[None])], share_inputs=True)
            except RuntimeError as error:
                raise EngineError(f"openvino could not draw: {error}") from error
            drawn[i] = self._request.get_output_tensor(0).data[0]
        return drawn

    def close(self) -> None:
        """Free the network."""
        del self._request


def _size(model: Any) -> int:
    """The side of the crops a network wants; EngineError unless it keeps the engine contract."""
    if not model.inputs:
        raise RuntimeError("an empty network")
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise EngineError(f"the network has {len(model.inputs)} inputs and {len(model.outputs)} outputs, not one each")
    shape, made = model.input(0).partial_shape, model.output(0).partial_shape
    kinds = (model.input(0).element_type.get_type_name(), model.output(0).element_type.get_type_name())
    sides = [str(d) for d in shape][1:] if shape.rank.is_static and len(shape) == 4 else []
    alike = made.rank.is_static and len(made) == 4 and str(made[3]) == "4"
    if kinds != ("u8", "u8") or len(sides) != 3 or sides[0] != sides[1] or sides[2] != "3" or not alike:
        raise EngineError(
            f"the network maps {kinds[0]} {shape} to {kinds[1]} {made}; it must map u8 [?,S,S,3] to u8 [?,S,S,4]"
        )
    return int(sides[0])


def load(onnx_path: Path, precision: str | None = None, *, threads: int = 2) -> Engine:
    """Compile ``onnx_path`` for the CPU. precision: "f32", "bf16", "f16" or None for the machine's own choice."""
    if precision not in (None, "f32", "bf16", "f16"):
        raise EngineError(f"openvino computes in f32, bf16 or f16, not in {precision!r}")
    return OpenVino(Path(onnx_path), threads, precision)
