"""Which engine draws a style: the only place that brings ``engines`` and ``trt_build`` together.

``engines`` runs files and compiles none; ``trt_build`` compiles plans and draws nothing. Here the two meet.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import engines
import trt_build
from engines import Engine, EngineError, openvino_core
from engines.compare import difference
from engines.switching import SwitchingEngine
from streamtoon import style_folder
from streamtoon.errors import UsageError
from streamtoon.sources import portrait
from streamtoon.types import Style
from trt_build import Source, crops
from trt_build.source import NAME, PICTURE, Shape

log = logging.getLogger(__name__)

Progress = Callable[[str, float], None]
Plan = Callable[[str, str, Shape | None], Path]  # see engines.load
CPU: Final = "openvino"  # which every installation has: what "auto" takes must draw as it does


def _silent(_name: str, _share: float) -> None:
    """Tell nobody how far compiling is."""


def load(
    name: str,
    style: Style,
    *,
    threads: int,
    progress: Progress = _silent,
) -> Engine:
    """The engine ``name`` for ``style``; TensorRT's plan is compiled where it is not kept. Raises EngineError.

    "auto" takes none that fails, or draws something else than the CPU. What it took, and why a plan was compiled, is
    logged. progress: of compiling, see ``trt_build.plan``.
    """
    plan = _plans(style, progress)
    engine = engines.load(
        name, style.onnx, threads=threads, plan=plan, refuse=lambda engine: _refused(engine, style, threads)
    )
    return _fitting(engine, style)


def _fitting(engine: Engine, style: Style) -> Engine:
    """``engine``, which is closed and EngineError raised where the style's network does not map what its card says."""
    try:
        network = engine.network if hasattr(engine, "network") else openvino_core.read(style.onnx)[1]
    except EngineError:
        engine.close()
        raise
    wanted = (0, style.scale) if style.whole_picture else (style.size, 1)
    if network is None or (network.size, network.scale) == wanted:  # the fake echoes whatever the card says
        return engine
    engine.close()
    says = f'output = "yuv", scale = {style.scale}' if style.whole_picture else f'output = "rgba", size = {style.size}'
    raise EngineError(f"{style.onnx.name} {network}; its {style_folder.CARD} says {says}; export the style again")


def source(style: Style) -> Source:
    """What a plan of ``style`` is made from. Raises EngineError where its files are not those of its card."""
    if not NAME.fullmatch(style.name):
        card = style.folder / style_folder.CARD
        raise EngineError(f"{card}: name is {style.name!r}; plans are named by it: letters, digits, - and _ alone")
    try:
        return Source(style.name, style.onnx, style_folder.half(style), 0 if style.whole_picture else style.size)
    except UsageError as error:
        raise EngineError(str(error)) from error


def named_source(name_or_path: str) -> Source:
    """The source of a shipped style, a style folder or an ONNX file. Raises EngineError."""
    path = Path(name_or_path)
    if path.is_file():
        return trt_build.read(path)
    if name_or_path not in style_folder.names() and not (path / style_folder.CARD).is_file():
        raise EngineError(
            f"no style {name_or_path!r}: it is no ONNX file, no folder with a {style_folder.CARD} and not one of "
            + ", ".join(style_folder.names())
        )
    try:
        return source(style_folder.load(name_or_path))
    except UsageError as error:
        raise EngineError(str(error)) from error


def _refused(engine: Engine, style: Style, threads: int) -> str:
    """Why "auto" does not take ``engine``; empty where it draws the portrait as the CPU does."""
    if engine.name == CPU:
        return ""
    shape = PICTURE if style.whole_picture else (style.size, style.size)
    try:
        pictures = crops.moved(portrait.picture(), shape, count=2)
        with closing(engines.load(CPU, style.onnx, threads=threads)) as reference:
            drawn = reference(pictures)
        return difference(engine, pictures, drawn, CPU)
    except EngineError as error:
        return str(error)


def live(name: str, style: Style, *, threads: int, progress: Progress = _silent) -> Engine:
    """As ``load``, but "auto" draws at once: on the CPU until something better is ready, compiled and checked."""
    if name != "auto":
        return load(name, style, threads=threads, progress=progress)
    return SwitchingEngine(
        _fitting(engines.load(CPU, style.onnx, threads=threads), style),
        lambda cancel: engines.load(
            "auto", style.onnx, threads=threads, plan=_plans(style, _silent, cancel), among=_faster()
        ),
    )


def _faster() -> tuple[str, ...]:
    """What "auto" would rather draw with than the CPU."""
    tried = engines.automatic()
    return tried[: tried.index(CPU)]


def _plans(style: Style, progress: Progress, cancel: threading.Event | None = None) -> Plan:
    """What gives an engine its plan of ``style``."""

    def plan(precision: str, refused: str, shape: Shape | None) -> Path:
        made = trt_build.plan(
            source(style), precision, shape=shape, photo=portrait.picture(), refused=refused, progress=progress,
            cancel=cancel,
        )  # fmt: skip
        if made.built:
            log.info("compiled %s in %.1f s: %s", made.path.name, made.seconds, made.why)
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
    for name in engines.names():
        try:
            if engines.about(name).needs_plan:
                device = str(engines.REGISTRY.load(name).ready())
            else:
                with closing(engines.load(name, style.onnx, threads=threads)) as engine:
                    device = engine.device
        except EngineError as error:
            found.append(There(name, "", str(error).partition(f"{name}: ")[2] or str(error)))
        else:
            found.append(There(name, device, ""))
    return found
