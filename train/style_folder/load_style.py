"""A style folder's card, read by the application's own reader: what is trained here is judged as it will be used."""

from __future__ import annotations

from pathlib import Path

from foundation.errors import UsageError
from streamtoon import style_folder
from streamtoon.types import Style


def load_style(folder: Path) -> Style:
    """The style in ``folder``, by its style.toml. Raises UsageError where there is none or it does not hold."""
    if not (folder / "style.toml").is_file():
        raise UsageError(
            f"{folder} holds no ONNX file with a card (style.toml); run `python -m train export` first, "
            "or give a style folder that it wrote"
        )
    return style_folder.load(str(folder.resolve()))  # a path, never the embedded style of the same name
