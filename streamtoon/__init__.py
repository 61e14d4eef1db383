"""streamtoon: the same picture, with the people in it drawn.

    import streamtoon

    drawn = streamtoon.draw("photo.jpg", style="comic")  # (h, w, 3) uint8 RGB
    streamtoon.convert("film.mp4", "drawn.mp4", style="wash", progress=lambda p: print(p.frames, p.total))

    with streamtoon.make_toon("engraving", workload="live", private=True) as toon:  # frame by frame
        output = toon(frame)

Nothing here prints or ends the program: what goes wrong is raised, as one of the errors below, and what is worth
knowing is logged to the logger "streamtoon". Importing it imports nothing heavy; the first use of a name does.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from streamtoon.errors import EngineError, ModelError, SinkError, SourceError, StreamtoonError, UsageError
from streamtoon.version import __version__

if TYPE_CHECKING:
    from streamtoon.api import (
        Colour,
        Face,
        Frame,
        OutputFrame,
        Progress,
        Style,
        Summary,
        Toon,
        convert,
        draw,
        make_toon,
        styles,
    )


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
    "__version__",
    "convert",
    "draw",
    "make_toon",
    "styles",
]

logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from streamtoon import api  # brings what is heavy

    return getattr(api, name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
