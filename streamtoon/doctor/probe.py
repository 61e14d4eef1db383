"""What doctor tries in a process of its own: a library that crashes, hangs or talks takes nothing else with it.

``start("draw", "openvino")`` runs ``draw("openvino")`` there, ``end`` tells what came of it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Final

from streamtoon import style_folder

CHILD: Final = "from streamtoon.doctor import probe; probe.run()"


def draw(engine_name: str) -> str:
    """Load the default style into an engine and draw one crop; on what device."""
    import cv2
    import numpy as np

    from streamtoon.sources import portrait
    from streamtoon.workflows import engine_choice as engine_of

    style = style_folder.load(style_folder.DEFAULT)
    engine = engine_of.load(engine_name, style, threads=_cores())
    crops = np.asarray(cv2.resize(portrait.picture(), (style.size, style.size))[None], np.uint8)
    drawn = engine(crops)
    engine.close()
    if drawn.shape != (1, style.size, style.size, 4) or drawn[..., :3].min() == drawn[..., :3].max():
        raise RuntimeError(f"it draws an empty picture: {drawn.dtype} {drawn.shape}, {drawn.min()} to {drawn.max()}")
    return f"draws, device: {engine.device}"


def find(with_models: str) -> str:
    """Find the face of the embedded portrait; without models only MediaPipe is loaded. What was found."""
    from importlib.metadata import version

    from mediapipe.tasks.python import vision

    mediapipe = f"MediaPipe {version('mediapipe')}"
    if not with_models:
        return f"{mediapipe} loads ({vision.FaceDetector.__name__}); without its models it cannot be tried"
    from fractions import Fraction

    from streamtoon.pipeline.find import Finder
    from streamtoon.sources import portrait
    from streamtoon.types import Frame

    with Finder() as finder:
        faces = finder(Frame((portrait.picture(),), "rgb24", 0, Fraction(0)))
    if len(faces) != 1:
        raise RuntimeError(f"{mediapipe} finds {len(faces)} faces in the embedded portrait, which has one")
    return f"{mediapipe} finds the face of the embedded portrait, score {faces[0].score:.2f}"


def start(name: str, argument: str) -> subprocess.Popen[str]:
    """Begin ``draw`` or ``find`` in a process of its own, which imports from where we do."""
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, name, argument],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip


def end(process: subprocess.Popen[str], seconds: float) -> tuple[bool, str]:
    """Whether it went well, and what it said or what kept it from it."""
    try:
        said, noise = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        stop(process)
        return False, f"it gave no answer within {seconds:g} seconds"
    try:
        good, text = json.loads(said.splitlines()[-1])
    except (IndexError, ValueError, TypeError):
        return False, _death(process.returncode, noise)
    return bool(good), str(text)


def stop(process: subprocess.Popen[str]) -> None:
    """End it, whatever it is doing."""
    process.kill()
    process.communicate()


def run() -> None:
    """In the process of its own: print one line of JSON, whether it went well and what there is to say."""
    name, argument = sys.argv[1:]
    try:
        answer = True, {"draw": draw, "find": find}[name](argument)
    except Exception as error:  # noqa: BLE001 - told by doctor, whatever it was
        answer = False, _reason(error)
    print(json.dumps(answer))


def _reason(error: Exception) -> str:
    from engines import EngineError

    text = " ".join(str(error).split())
    if isinstance(error, EngineError):
        return text.partition(" / ")[2].partition(": ")[2] or text  # without the words for several engines
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed"
    return f"{type(error).__name__}: {text}"


def _death(code: int, noise: str) -> str:
    if code < 0:
        return f"its process was ended by {signal.Signals(-code).name}"
    return (noise.strip().splitlines() or [f"its process ended with code {code}"])[-1]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
