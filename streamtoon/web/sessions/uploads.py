"""Uploads reach us as they came: Gradio opens them first, and what it says of bad ones helps nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from streamtoon.web.messages import notice


def raw(component: gr.components.Component) -> None:
    """Make an image, video or file input hand over where the upload lies, untouched."""
    # not by a subclass: for each one Gradio writes a stub file beside our source
    component.preprocess = _where  # type: ignore[method-assign]
    component.async_move_resource_to_block_cache = _here  # type: ignore[method-assign,assignment]


async def _here(path: object) -> str | None:
    """Where an upload lies, without copying it. Gradio would also fetch any address on the network that is given."""
    if path is not None and not Path(str(path)).is_absolute():
        raise notice("only uploaded files are taken, no addresses")
    return None if path is None else str(path)


def _where(payload: Any) -> str | None:
    return None if payload is None else payload.path
