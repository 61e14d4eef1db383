"""Style folders: ``load(name_or_path) -> Style``. A style is data, never code: style.toml, an ONNX file, a card."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from streamtoon.errors import UsageError
from streamtoon.types import Style

FOLDER: Final = Path(__file__).parent / "styles"
CARD: Final = "style.toml"
DEFAULT: Final = "comic"
KEYS: Final = {f.name for f in fields(Style)} - {"folder"} | {"fp16", "fp16_sha256"}
TYPES: Final[dict[str, type | tuple[type, ...]]] = {
    "size": int,
    "scale": int,
    "lines": int,
    "margin": (int, float),
    "feather": (int, float),
    "paper": list,
}


def names() -> list[str]:
    """The embedded styles."""
    return sorted(p.parent.name for p in FOLDER.glob(f"*/{CARD}"))


def load(name_or_path: str) -> Style:
    """Read and check a style: an embedded one by name, any other by the path of its folder. Raises UsageError."""
    embedded = name_or_path in names()
    folder = FOLDER / name_or_path if embedded else Path(name_or_path)
    file = folder / CARD
    if not file.is_file():
        raise UsageError(
            f"no style {name_or_path!r}: it is neither one of {', '.join(names())} nor a folder with a style.toml"
        )
    card = _read(file)
    onnx = folder / str(card.pop("onnx"))
    if onnx.parent != folder or not onnx.is_file():
        raise UsageError(f"style {folder}: its network {onnx.name} is not in the folder; export the style again")
    found = hashlib.sha256(onnx.read_bytes()).hexdigest()
    if found != card["sha256"]:
        raise UsageError(
            f"style {folder}: {onnx.name} has sha256 {found[:12]}..., its card says {str(card['sha256'])[:12]}...; "
            "export the style again or take an unchanged copy"
        )
    for key in ("fp16", "fp16_sha256"):
        card.pop(key, None)
    try:
        return Style(**{**card, "folder": folder, "onnx": onnx, "paper": tuple(card.get("paper", (255, 255, 255)))})
    except (TypeError, ValueError) as error:
        raise UsageError(f"style {folder}: {error}") from error


def half(style: Style) -> Path | None:
    """The file of the style's network in half precision, checked; None where it has none. Raises UsageError."""
    card = _read(style.folder / CARD)
    if "fp16" not in card:
        return None
    file = style.folder / str(card["fp16"])
    if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != card.get("fp16_sha256"):
        raise UsageError(f"{file} is not the file its {CARD} names (another sha256); export the style again")
    return file


def _read(file: Path) -> dict[str, Any]:
    try:
        card = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from error
    for key, value in card.items():
        if key not in KEYS:
            near = get_close_matches(key, KEYS, 1)
            raise UsageError(f"{file}: unknown key {key!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        wanted = TYPES.get(key, str)
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise UsageError(f"{file}: {key} is {value!r}, of the wrong kind")
    missing = [key for key in ("name", "onnx", "sha256") if key not in card]
    if missing:
        raise UsageError(f"{file}: {missing[0]} is missing")
    return card
