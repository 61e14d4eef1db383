"""Inputs that give uploads as they came: Gradio would open them first, and its errors for bad ones help nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from streamtoon.web.messages import notice


def keep_as_uploaded(component: gr.components.Component) -> None:
    """Make an image, video or file input give the path of the untouched upload."""
    # not by a subclass: for each one Gradio writes a stub file beside our source
    component.preprocess = _payload_path  # type: ignore[method-assign]
    component.async_move_resource_to_block_cache = _uploaded_path  # type: ignore[method-assign,assignment]


async def _uploaded_path(path: object) -> str | None:
    """The path of an upload, which is not copied. Gradio would also fetch any address that is given."""
    if path is not None and not Path(str(path)).is_absolute():
        raise notice("only uploaded files are taken, no addresses")
    return None if path is None else str(path)


def _payload_path(payload: Any) -> str | None:
    return None if payload is None else payload.path
