"""streamtoon: the same picture, with the people in it drawn.

    import streamtoon

    drawn = streamtoon.draw("photo.jpg", style="ink")  # (h, w, 3) uint8 RGB
    streamtoon.convert("film.mp4", "drawn.mp4", style="wash", progress=lambda p: print(p.frames, p.total))

    with streamtoon.make_toon("engraving", workload="live", private=True) as toon:  # frame by frame
        output = toon(frame)

Nothing here prints or ends the program: what goes wrong is raised, as one of the errors below, and what is worth
knowing is logged to the logger "streamtoon". Importing it imports nothing heavy; the first use of a name does.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any, Final

from streamtoon.errors import EngineError, ModelError, SinkError, SourceError, StreamtoonError, UsageError

if TYPE_CHECKING:
    from streamtoon.api import convert, draw, styles
    from streamtoon.pipeline.toon import Toon
    from streamtoon.types import Colour, Face, Frame, OutputFrame, Style
    from streamtoon.workflows.convert import Progress, Summary
    from streamtoon.workflows.make_toon import make_toon

__version__ = "0.1.0"

__all__ = [
    "Colour",
    "EngineError",
    "Face",
    "Frame",
    "ModelError",
    "OutputFrame",
    "Progress",
    "SinkError",
    "SourceError",
    "StreamtoonError",
    "Style",
    "Summary",
    "Toon",
    "UsageError",
    "convert",
    "draw",
    "make_toon",
    "styles",
]

_HOMES: Final = {
    "streamtoon.api": ("convert", "draw", "styles"),
    "streamtoon.pipeline.toon": ("Toon",),
    "streamtoon.types": ("Colour", "Face", "Frame", "OutputFrame", "Style"),
    "streamtoon.workflows.convert": ("Progress", "Summary"),
    "streamtoon.workflows.make_toon": ("make_toon",),
}

logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
