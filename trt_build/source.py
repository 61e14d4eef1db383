"""What is compiled: a network by its files. Who has styles says which files they are; an ONNX file is read here."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engines import EngineError

NAME: Final = re.compile(r"[\w-]{1,100}", re.ASCII)  # of a network that is not named by its file


@dataclass(frozen=True, slots=True)
class Source:
    """A network to compile.

    name  how its plans' file names begin
    onnx  its graph in fp32; fp16  its graph in half precision, where there is one
    size  side of a crop in px
    """

    name: str
    onnx: Path
    fp16: Path | None
    size: int


def read(onnx_path: Path) -> Source:
    """The source of an ONNX file alone, called as the file. Raises EngineError."""
    if not onnx_path.is_file():
        raise EngineError(f"{onnx_path} is not there; give an ONNX file")
    return Source(onnx_path.stem, onnx_path, None, side(onnx_path))


def packages() -> None:
    """Raise EngineError with the way to get them where the packages that change graphs are not installed."""
    missing = [name for name in ("onnx", "onnxruntime") if importlib.util.find_spec(name) is None]
    if missing:
        raise EngineError(f'{" and ".join(missing)} is not installed; pip install -c constraints.txt ".[tensorrt]"')


def side(onnx_path: Path) -> int:
    """The side of the crops a network takes, px. Raises EngineError where it does not keep the engine contract."""
    packages()
    import onnx

    none = EngineError(f"{onnx_path.name} is not an ONNX file (found {onnx_path.stat().st_size} bytes)")
    try:
        graph = onnx.load(str(onnx_path)).graph
    except Exception as error:
        raise none from error
    ends = [*graph.input, *graph.output]
    if not ends:
        raise none
    kinds = [t.type.tensor_type.elem_type for t in ends]
    dims = [d.dim_value for d in ends[0].type.tensor_type.shape.dim]
    if kinds != [onnx.TensorProto.UINT8] * 2 or len(dims) != 4 or not 0 < dims[1] == dims[2] or dims[3] != 3:
        raise EngineError(f"{onnx_path.name} must map uint8 (N, S, S, 3) to uint8 (N, S, S, 4); it takes {dims}")
    return int(dims[1])
