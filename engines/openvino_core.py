"""OpenVINO's core: one for the process, never freed. And its readers of ONNX and TensorFlow Lite files.

Its CPU plugin gives the thread that loads it another stack for signal handlers, and unmaps that stack when the last
core is freed. Where another thread frees it, the first one is left with a stack that is gone: the next signal, Ctrl-C
for one, is a segmentation fault (OpenVINO 2026.4).
"""

from __future__ import annotations

import functools
import threading
from pathlib import Path
from typing import Any, Literal

from engines import libraries
from engines.network import TRIED_PX, Network, declared, scale_of
from foundation.errors import EngineError

_lock = threading.Lock()
_cores: list[Any] = []


def core() -> Any:
    """The ``openvino.Core`` that everything here compiles networks with."""
    with _lock:
        if not _cores:
            _cores.append(libraries.openvino().Core())
        return _cores[0]


def read(onnx_path: Path) -> tuple[Any, Network]:
    """An ONNX file as ``openvino.Model``, and what it maps. Raises EngineError."""
    model = read_model(onnx_path)
    try:
        return model, _network(model)
    except RuntimeError as error:
        raise _unreadable(onnx_path, "ONNX") from error


def read_model(file: Path, framework: Literal["ONNX", "tflite"] = "ONNX") -> Any:
    """A file of that kind as ``openvino.Model``. Raises EngineError."""
    frontend = libraries.openvino().frontend
    faults = (RuntimeError, frontend.GeneralFailure, frontend.OpConversionFailure, frontend.OpValidationFailure)
    # the reader by name: Core.read_model would ask every other format's reader too, and they complain on stderr
    reader = frontend.FrontEndManager().load_by_framework(framework.lower())
    try:
        model = reader.convert(reader.load(str(file)))
        if not model.inputs:
            raise RuntimeError("an empty network")
    except faults as error:
        raise _unreadable(file, framework) from error
    return model


def face_network(tflite: Path) -> Any:
    """One of the small networks that look at faces, in float32 on one thread: an ``openvino.InferRequest``.

    Compiled once in a process: it takes longer than drawing a picture, and every Start of the page asks for three.
    """
    return _compiled(tflite).create_infer_request()


@functools.cache
def _compiled(tflite: Path) -> Any:
    config = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    return core().compile_model(read_model(tflite, "tflite"), "CPU", config)


def _unreadable(file: Path, framework: str) -> EngineError:
    size = file.stat().st_size if file.is_file() else 0
    return EngineError(f"{file.name} is not an {framework} network it can read (found {size} bytes)")


def _network(model: Any) -> Network:
    """What ``model`` maps; a picture network is left in the shape of a picture of TRIED_PX px."""
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise EngineError(f"the network has {len(model.inputs)} inputs and {len(model.outputs)} outputs, not one each")
    ends = model.input(0), model.output(0)
    kinds = [end.element_type.get_type_name().replace("u8", "uint8") for end in ends]
    network = declared(kinds, *(_sides(end.partial_shape) for end in ends))
    if not network.whole_picture:
        return network
    model.reshape([1, TRIED_PX, TRIED_PX, 3])
    return Network(0, scale_of(_sides(model.output(0).partial_shape)))


def _sides(shape: Any) -> list[int]:
    """0 where a side is not fixed; nothing where even their number is not."""
    return [int(str(side)) if side.is_static else 0 for side in shape] if shape.rank.is_static else []
