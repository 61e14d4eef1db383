"""What is compiled: a network by its files. Who has styles says which files they are; an ONNX file is read here."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engines import EngineError
from engines.network import declared

Shape = tuple[int, int]  # height and width of pictures, px
PICTURE: Final[Shape] = (360, 640)  # from which a picture of 720 lines is drawn
NAME: Final = re.compile(r"[\w-]{1,100}", re.ASCII)  # of a network that is not named by its file


@dataclass(frozen=True, slots=True)
class Source:
    """A network to compile.

    name  how its plans' file names begin
    onnx  its graph in fp32; fp16  its graph in half precision, where there is one
    size  side of a crop in px; 0 for a network that draws whole pictures
    """

    name: str
    onnx: Path
    fp16: Path | None
    size: int

    @property
    def shape(self) -> Shape:
        """Of its crops, or of the pictures that a network for any shape is tried on."""
        return (self.size, self.size) if self.size else PICTURE


def read(onnx_path: Path) -> Source:
    """The source of an ONNX file alone, called as the file. Raises EngineError."""
    if not onnx_path.is_file():
        raise EngineError(f"{onnx_path} is not there; give an ONNX file")
    return Source(onnx_path.stem, onnx_path, None, size(onnx_path))


def packages() -> None:
    """Raise EngineError with the way to get them where the packages that change graphs are not installed."""
    missing = [name for name in ("onnx", "onnxruntime") if importlib.util.find_spec(name) is None]
    if missing:
        raise EngineError(f'{" and ".join(missing)} is not installed; pip install -c constraints.txt ".[tensorrt]"')


def size(onnx_path: Path) -> int:
    """The side of the crops a network takes, px; 0 where it takes whole pictures. Raises EngineError."""
    packages()
    import onnx

    none = EngineError(f"{onnx_path.name} is not an ONNX file (found {onnx_path.stat().st_size} bytes)")
    try:
        graph = onnx.load(str(onnx_path)).graph
    except Exception as error:
        raise none from error
    if len(graph.input) != 1 or len(graph.output) != 1:
        raise none
    ends = [end.type.tensor_type for end in (*graph.input, *graph.output)]
    kinds = ["uint8" if end.elem_type == onnx.TensorProto.UINT8 else "another type" for end in ends]
    try:
        return declared(kinds, *([int(side.dim_value) for side in end.shape.dim] for end in ends)).size
    except EngineError as error:
        raise EngineError(f"{onnx_path.name}: {error}") from error
