"""What doctor tries in a process of its own: a library that crashes, hangs or talks takes nothing else with it.

``start("draw", "openvino")`` runs ``draw`` there, ``end`` gives what came of it.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Final

from engines import openvino_core
from foundation.child import Child
from foundation.cores import available_cores
from foundation.errors import EngineError, StreamtoonError
from streamtoon import style_folder

PICTURE_PX: Final = 128  # side of what a style is tried with that draws whole pictures


def draw(_tell: Any, subject: str) -> str:
    """Load the default style into the engine ``subject`` and draw one picture; on what device."""
    import cv2
    import numpy as np

    from streamtoon.sources import portrait
    from streamtoon.workflows import engine_choice

    style = style_folder.load(style_folder.DEFAULT)
    engine = engine_choice.load(subject, style, threads=available_cores())
    side = PICTURE_PX if style.whole_picture else style.size
    drawn = engine(np.asarray(cv2.resize(portrait.picture(), (side, side))[None], np.uint8))
    engine.close()
    colours = drawn if style.whole_picture else drawn[..., :3]
    if colours.min() == colours.max():
        raise RuntimeError(f"it draws an empty picture: {drawn.dtype} {drawn.shape}, {drawn.min()} to {drawn.max()}")
    return f"draws, device: {engine.device}"


def find(_tell: Any, subject: str) -> str:
    """Find the face of the embedded portrait; with an empty ``subject`` (no models) OpenVINO is loaded alone."""
    try:
        openvino_core.core()
    except ModuleNotFoundError as error:
        raise StreamtoonError(f"{error.name} is not installed") from error

    if not subject:
        return f"OpenVINO {version('openvino')} loads; without the face models it cannot be tried"
    from fractions import Fraction

    from streamtoon.pipeline.find import Finder
    from streamtoon.sources import portrait
    from streamtoon.types import Frame

    with Finder() as finder:
        faces = finder(Frame((portrait.picture(),), "rgb24", 0, Fraction(0)))
    if len(faces) != 1:
        raise RuntimeError(f"{len(faces)} faces are found in the embedded portrait, which has one")
    return f"finds the face of the embedded portrait, score {faces[0].score:.2f}"


def start(function: str, subject: str) -> Child:
    """Begin ``draw`` or ``find`` in a process of its own. Raises ChildError where none can be started."""
    return Child(f"{__name__}:{function}", {"subject": subject})


def end(child: Child, timeout_s: float) -> tuple[bool, str]:
    """Whether it went well, and what it found or what kept it from it. Ends the process."""
    with child:
        try:
            return True, str(child.result(timeout_s=timeout_s))
        except EngineError as error:
            text = " ".join(str(error).split())
            return False, text.partition(" / ")[2].partition(": ")[2] or text  # without the words for several engines
        except (StreamtoonError, MemoryError) as error:
            return False, " ".join(str(error).split()) or type(error).__name__
