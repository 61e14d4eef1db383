"""ONNX -> TensorRT plan: compiled once for this machine, kept, found again, checked. Without torch.

``plan(read(Path("net.onnx")), "fp32")`` gives the file that TensorRT runs. Everything here raises EngineError.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from engines import U8, EngineError
from trt_build import cache, precision
from trt_build.cache import Key
from trt_build.compiler import PICTURES_PROFILE, PROFILE, Profile, compile  # noqa: A004 - what it does
from trt_build.source import Shape, Source, read

__all__ = ["PROFILE", "Made", "Source", "compile", "plan", "read"]


@dataclass(frozen=True, slots=True)
class Made:
    """A plan at hand.

    built    whether it was compiled now; ``why`` says why it had to be
    seconds  what compiling it took, now or then
    """

    path: Path
    key: Key
    seconds: float
    built: bool
    why: str

    def as_json(self) -> dict[str, object]:
        """Everything, for ``--json``."""
        return {
            "plan": str(self.path), "key": asdict(self.key), "short": self.key.short, "seconds": self.seconds,
            "built": self.built, "why": self.why,
        }  # fmt: skip

    def as_text(self) -> str:
        """Everything, for people."""
        how = (
            f"compiled in {self.seconds:.2f} s ({self.why})"
            if self.built
            else f"found; compiled in {self.seconds:.2f} s"
        )
        facts = [f"  {name:12} {value or '-'}" for name, value in asdict(self.key).items()]
        size = self.path.stat().st_size / 1e6
        head = f"{self.path} ({size:.1f} MB) for {self.key.card}, {how}"
        return "\n".join([head, f"{self.path.with_suffix('.json')}:", *facts])


def plan(
    source: Source,
    kind: str = "fp16",
    *,
    shape: Shape | None = None,
    profile: Profile | None = None,
    folder: Path | None = None,
    photo: U8 | None = None,
    calibration: U8 | None = None,
    refused: str = "",
    progress: Callable[[str, float], None] = lambda _name, _share: None,
    cancel: threading.Event | None = None,
) -> Made:
    """The plan of ``source`` for this machine, compiled where the cache does not hold it.

    kind: one of precision.KINDS. shape: height and width of the pictures it will draw, px; None for ``source.shape``.
    profile: None for the usual one. photo: (512, 512, 3) uint8 RGB with a face (crops.moved), which "int8" is
    calibrated on and an "fp16" that has to be made is compared on. calibration: uint8 (N, h, w, 3) pictures instead.
    folder: the cache's. refused: why TensorRT did not take the plan that is there; then it is compiled again.
    progress: is told a phase and its share, 0..1. cancel: set from another thread, ends it soon.
    """
    if kind not in precision.KINDS:
        raise EngineError(f"no precision is called {kind!r}; choose one of {', '.join(precision.KINDS)}")
    place = folder or cache.default()
    pictures = precision.crops_for(source, kind, photo, calibration)
    shape, profile = shape or source.shape, profile or (PROFILE if source.size else PICTURES_PROFILE)
    key = cache.key(source, kind, profile, pictures if kind == "int8" else None, shape)
    found, why = (None, f"it does not load: {refused}") if refused else cache.find(place, source.name, key)
    if found is not None:
        return Made(found.path, key, found.seconds, built=False, why=why)
    cache.writable(place)

    def tell(phase: str, share: float) -> None:
        if cancel is not None and cancel.is_set():
            raise EngineError("compiling was cancelled")
        progress(phase, share)

    began = time.perf_counter()
    graph = precision.graph(source, kind, pictures, tell)
    data = compile(graph, profile, shape, timing=cache.timing(place, key), progress=progress, cancel=cancel)
    seconds = round(time.perf_counter() - began, 2)
    return Made(cache.store(place, source.name, key, data, seconds), key, seconds, built=True, why=why)
