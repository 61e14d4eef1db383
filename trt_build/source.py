"""What is compiled: a style folder, the name of a shipped style, or an ONNX file."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engines import EngineError

NAME: Final = re.compile(r"[\w-]{1,100}", re.ASCII)  # of a style, part of its plans' file names


@dataclass(frozen=True, slots=True)
class Source:
    """A network to compile.

    onnx  its graph in fp32; fp16  its graph in half precision, where the folder has one
    size  side of a crop in px
    """

    name: str
    onnx: Path
    fp16: Path | None
    size: int


def read(name_or_path: str | Path) -> Source:
    """The source by name or path; the sha256 of its style.toml are checked. Raises EngineError."""
    path = Path(name_or_path)
    if path.is_file():
        return Source(path.stem, path, None, side(path))
    folder = path if (path / "style.toml").is_file() else _shipped() / str(name_or_path)
    file = folder / "style.toml"
    if not file.is_file():
        names = ", ".join(sorted(p.parent.name for p in _shipped().glob("*/style.toml")))
        raise EngineError(
            f"no style {str(name_or_path)!r}: it is no ONNX file, no folder with a style.toml and not one of {names}"
        )
    try:
        card = tomllib.loads(file.read_text(encoding="utf-8"))
        onnx = _checked(folder / card["onnx"], card["sha256"])
        half = _checked(folder / card["fp16"], card["fp16_sha256"]) if "fp16" in card else None
        source = Source(str(card["name"]), onnx, half, int(card.get("size", 256)))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise EngineError(f"{file} is no style's card: {error}; export the style again") from error
    if not NAME.fullmatch(source.name):
        raise EngineError(f"{file}: name is {source.name!r}; plans are named by it: letters, digits, - and _ alone")
    return source


def _shipped() -> Path:
    """The folder of the styles beside this package; found, not imported."""
    spec = importlib.util.find_spec("streamtoon")
    if spec is None or not spec.submodule_search_locations:
        raise EngineError("streamtoon is not installed beside trt_build; give the style's folder or its ONNX file")
    return Path(next(iter(spec.submodule_search_locations))) / "styles"


def _checked(file: Path, sha256: str) -> Path:
    if hashlib.sha256(file.read_bytes()).hexdigest() != sha256:
        raise EngineError(f"{file} is not the file its style.toml names (another sha256); export the style again")
    return file


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
