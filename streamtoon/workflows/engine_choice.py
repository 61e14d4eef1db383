"""Which engine draws a style: the only place that brings ``engines`` and ``trt_build`` together.

``engines`` runs files and compiles none; ``trt_build`` compiles plans and draws nothing. Here the two meet.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import engines
import engines.nvidia
import trt_build
from engines import Engine, EngineError
from engines.compare import difference
from engines.switching import SwitchingEngine
from streamtoon.types import Style
from trt_build import crops

Say = Callable[[str], None]
Progress = Callable[[str, float], None]
CPU = engines.AUTO[-1]  # what every machine has: "auto" is compared with it


def _silent(_name: str, _share: float) -> None:
    """Tell nobody how far compiling is."""


def load(
    name: str,
    style: Style,
    *,
    threads: int,
    say: Say = lambda _: None,
    progress: Progress = _silent,
) -> Engine:
    """The engine ``name`` for ``style``; TensorRT's plan is compiled where it is not kept. Raises EngineError.

    "auto" takes none that fails, or draws something else than the CPU.
    say: is told what "auto" took, and why a plan was compiled. progress: of compiling, see ``trt_build.plan``.
    """
    plan = _plans(style, say, progress)
    return engines.load(
        name, style.onnx, threads=threads, plan=plan, say=say, refuse=lambda engine: _refused(engine, style, threads)
    )


def _refused(engine: Engine, style: Style, threads: int) -> str:
    """Why "auto" does not take ``engine``; empty where it draws the portrait as the CPU does."""
    if engine.name == CPU:
        return ""
    pictures = crops.default(style.size, count=2)
    try:
        with closing(engines.load(CPU, style.onnx, threads=threads)) as reference:
            drawn = reference(pictures)
        return difference(engine, pictures, drawn, CPU)
    except EngineError as error:
        return str(error)


def live(name: str, style: Style, *, threads: int, say: Say = lambda _: None, progress: Progress = _silent) -> Engine:
    """As ``load``, but "auto" draws at once: on the CPU until something better is ready, compiled and checked."""
    if name != "auto":
        return load(name, style, threads=threads, say=say, progress=progress)
    return SwitchingEngine(
        engines.load(CPU, style.onnx, threads=threads),
        lambda cancel: engines.load(
            "auto", style.onnx, threads=threads, plan=_plans(style, say, _silent, cancel), among=engines.AUTO[:-1]
        ),
        say,
    )


def _plans(
    style: Style, say: Say, progress: Progress, cancel: threading.Event | None = None
) -> Callable[[str, str], Path]:
    """What gives ``engines.runtimes.tensorrt`` its plan of ``style``."""

    def plan(precision: str, refused: str) -> Path:
        source = trt_build.read(style.folder)
        made = trt_build.plan(source, precision, refused=refused, progress=progress, cancel=cancel)
        if made.built:
            say(f"compiled {made.path.name} in {made.seconds:.1f} s: {made.why}")
        return made.path

    return plan


@dataclass(frozen=True, slots=True)
class There:
    """An engine of this installation: on what it would run here, or why it cannot."""

    engine: str
    device: str
    why: str


def there(style: Style, threads: int) -> list[There]:
    """Every engine, tried with ``style``; nothing is compiled for it."""
    found = []
    for name in engines.NAMES:
        try:
            if name == "tensorrt":
                library, gpu = engines.nvidia.ready()
                device = f"{gpu.name}, {library.name} {library.version}, CUDA {gpu.cuda}"
            else:
                engine = engines.load(name, style.onnx, threads=threads)
                device = engine.device
                engine.close()
        except EngineError as error:
            found.append(There(name, "", str(error).partition(f"{name}: ")[2] or str(error)))
        else:
            found.append(There(name, device, ""))
    return found
