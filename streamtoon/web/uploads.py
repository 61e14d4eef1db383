"""Uploads reach us as they came: Gradio opens them first, and what it says of bad ones helps nobody."""

from __future__ import annotations

from typing import Any

import gradio as gr


def raw(component: gr.components.Component) -> None:
    """Make an image, video or file input hand over where the upload lies, untouched."""
    # not by a subclass: for each one Gradio writes a stub file beside our source
    component.preprocess = _where  # type: ignore[method-assign]


def _where(payload: Any) -> str | None:
    return None if payload is None else payload.path
