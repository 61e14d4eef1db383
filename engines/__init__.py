"""Engines draw pictures. They know nothing of faces, frames or styles.

The contract: ``engine(pictures) -> drawn``, uint8 (N, h, w, 3) RGB in, N from 1 to MAX_BATCH. What comes out is the
network's (engines/network.py): of crops of heads uint8 (N, h, w, 4) RGBA, where alpha is the matte, 255 where the
drawing stands for the person; of whole pictures, h and w in multiples of 8, uint8 (N, scale * h * 3 / 2, scale * w),
I420 planes, BT.601, full range. An engine raises EngineError, is safe to call from one thread at a time, and is closed
once by whoever loaded it; closing raises nothing. The first call with pictures of another shape may take long.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from engines.about import About
from engines.network import MAX_BATCH, U8, Network, check_pictures
from foundation.errors import EngineError
from foundation.registry import Registry

__all__ = [
    "MAX_BATCH", "REGISTRY", "U8", "Engine", "EngineError", "Network", "about", "automatic", "check_pictures", "known",
    "load", "names",
]  # fmt: skip

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())  # a program that asks for no log gets none

REGISTRY: Final = Registry("engines.runtimes", "streamtoon.engines")


class Engine(Protocol):
    """What every engine module's ``load`` returns."""

    @property
    def name(self) -> str:
        """One of ``names()``."""
        ...

    @property
    def device(self) -> str:
        """What it runs on, for people."""
        ...

    def __call__(self, pictures: U8) -> U8:
        """uint8 (N, h, w, 3) RGB -> uint8, drawn: see above."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


def names() -> tuple[str, ...]:
    """Every engine's name, by rank."""
    return tuple(sorted(REGISTRY.names(), key=lambda name: about(name).rank))


def about(name: str) -> About:
    """What the engine ``name`` tells of itself, an option behind a colon aside. Raises EngineError for an unknown one.

    An engine that cannot be imported tells nothing; why not is told where it is loaded.
    """
    known(name)
    try:
        told = getattr(REGISTRY.load(name.partition(":")[0]), "ABOUT", None)
    except ImportError:
        told = None
    return told if isinstance(told, About) else About()


def automatic() -> tuple[str, ...]:
    """The names that "auto" tries, in this order."""
    return tuple(tried for name in names() if (tried := about(name).automatic))


def load(
    name: str,
    onnx_path: Path,
    *,
    threads: int = 2,
    plan: Callable[[str, str, tuple[int, int] | None], Path] | None = None,
    among: tuple[str, ...] | None = None,
    refuse: Callable[[Engine], str] = lambda _: "",
) -> Engine:
    """Load ``onnx_path`` into the engine ``name``; ``"auto"`` takes the first of ``among`` that runs here.

    name: one of ``names()``, or with what that engine lets choose: "tensorrt:int8", "onnxruntime:cuda", "openvino:f32".
    threads: how many CPU threads drawing may use. plan: gives the network's TensorRT plan (tensorrt.Plan).
    among: names as ``name`` is; by default ``automatic()``.
    refuse: asked by "auto" why an engine that loaded is not to be taken; empty where it is. What "auto" took, and why
    not the others, is logged. Raises EngineError with every reason; an engine asked for by name never falls back to
    another.
    """
    known(name)
    reasons = []
    for candidate in (among or automatic()) if name == "auto" else (name,):
        kind, _, option = candidate.partition(":")
        try:
            extra = {"plan": plan} if about(kind).needs_plan else {}
            engine: Engine = REGISTRY.load(kind).load(onnx_path, option or None, threads=threads, **extra)
        except ImportError as error:
            reasons.append(f"{candidate}: {error.name or error} is not installed")
        except EngineError as error:
            reasons.append(f"{candidate}: {error}")
        else:
            if name != "auto":
                return engine
            if why := refuse(engine):
                engine.close()
                reasons.append(f"{candidate}: it is refused: {why}")
                continue
            others = "".join(f" / not {reason}" for reason in reasons)
            log.info("%s draws, on %s%s", engine.name, engine.device, others)
            return engine
    raise EngineError(f"no engine can run {onnx_path.name} here / {' / '.join(reasons)}")


def known(name: str) -> None:
    """Raise EngineError unless ``name`` is "auto" or an engine's, with or without an option."""
    if name != "auto" and name.partition(":")[0] not in REGISTRY.names():
        raise EngineError(f"no engine is called {name!r}; choose one of auto, {', '.join(names())}")
