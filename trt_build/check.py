"""The parity gate: the same crops, or whole pictures, through every engine that runs here, against fp32 on the CPU.

The reference is ONNX Runtime with all optimisations off where it is installed, else OpenVINO in f32: within a level of
the same network in float64, as torch is. An engine that is further off than NEED allows is
refused. The graphs that TensorRT would run (fp16, INT8) are run by ONNX Runtime on the CPU as well: that proves the
graphs where there is no GPU; its latencies say nothing about one.
"""

from __future__ import annotations

import importlib.util
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

import engines
from engines import MAX_BATCH, U8, Engine, EngineError
from engines.about import OWN
from engines.compare import psnr
from trt_build import crops, plan, precision
from trt_build.precision import NEED
from trt_build.source import Shape, Source

BATCHES: Final = (1, 4, 8)  # of crops; whole pictures come one by one
TIMED_CALLS: Final = 12  # of each batch size
WARM_UP_CALLS: Final = 2  # before them
PATCH_PX: Final = 16
MAX_PATCH_LEVELS: Final = (
    64.0  # levels that no patch is off on average: NaN leaves uint8 as such a blot, and the mean hides it
)


@dataclass(frozen=True, slots=True)
class Checked:
    """What one engine did. ``why`` says why it is refused or cannot run; empty where ``ok``.

    psnr_db  PSNR over all crops against the reference; None where it did not run
    ms       batch size -> milliseconds of a call, median; ms_p95: 95th percentile
    """

    engine: str
    device: str
    precision: str
    psnr_db: float | None
    ms: dict[str, float]
    ms_p95: dict[str, float]
    ok: bool
    why: str = ""


Load = Callable[[], Engine]


def check(
    source: Source,
    pictures: U8 | None = None,
    *,
    photo: U8 | None = None,
    folder: Path | None = None,
    threads: int = 2,
    progress: Callable[[str, float], None] = lambda _what, _share: None,
) -> list[Checked]:
    """Every engine and precision there is, checked on ``pictures``, (N, h, w, 3) uint8; or on ``photo``, moved.

    photo: as ``trt_build.plan`` takes it. folder: the plan cache's. progress: is told what is checked, and its share of
    all, 0..1. An engine that is not installed or has no device is told with ``why``, and is not refused.
    """
    if pictures is None:
        if photo is None:
            raise EngineError("there are no crops to check on; give some with --crops")
        pictures = crops.made(source, photo)
    with tempfile.TemporaryDirectory() as made:
        progress("the reference", 0.0)
        reference = _reference(source, pictures, threads)
        every = list(_all(source, photo, Path(made), folder, threads))
        results: list[Checked] = []
        for name, kind, load in every:
            progress(f"{name} {kind}", (len(results) + 1) / (len(every) + 1))
            results.append(_one(name, kind, load, pictures, reference))
        return results


def refused(results: list[Checked]) -> list[Checked]:
    """Those that loaded, and do not draw or not well enough."""
    return [r for r in results if not r.ok and r.device]


def _reference(source: Source, pictures: U8, threads: int) -> U8:
    """What the network draws in fp32: by ONNX Runtime node for node, as the file has them, or by OpenVINO."""
    name = "onnxruntime:unoptimised" if importlib.util.find_spec("onnxruntime") else "openvino:f32"
    with closing(engines.load(name, source.onnx, threads=threads)) as engine:
        return _draw(engine, pictures)


def _all(
    source: Source, photo: U8 | None, made: Path, folder: Path | None, threads: int
) -> Iterator[tuple[str, str, Load]]:
    """Engine, precision and how to load it. ``made`` is where graphs are written that no plan is made of."""

    def compiled(name: str, kind: str) -> Load:
        def made(_: str, refused: str, shape: Shape | None) -> Path:
            return plan(source, kind, shape=shape, photo=photo, folder=folder, refused=refused).path

        return lambda: engines.load(name, source.onnx, plan=made, threads=threads)

    def plain(name: str, kind: str) -> Load:
        def load() -> Engine:
            file = source.onnx
            if kind not in ("fp32", OWN):
                file = made / f"{kind}.onnx"
                file.write_bytes(precision.graph(source, kind, precision.crops_for(source, kind, photo)))
            return engines.load(name, file, threads=threads)

        return load

    for engine in engines.names():
        about = engines.about(engine)
        for name, kind in ((variant.name, variant.precision) for variant in about.variants):
            yield name, kind, (compiled if about.needs_plan else plain)(name, kind)


def _one(name: str, kind: str, load: Load, pictures: U8, reference: U8) -> Checked:
    batches = BATCHES if reference.ndim == 4 else BATCHES[:1]
    with ExitStack() as stack:
        try:
            engine = load()
        except EngineError as error:
            return Checked(name, "", kind, None, {}, {}, ok=False, why=_short(error))
        stack.callback(engine.close)
        if kind == OWN:
            kind = own(engine)
        try:
            drawn = _draw(engine, pictures)
            times = {n: _times(engine, pictures, n) for n in batches}
        except EngineError as error:
            return Checked(name, engine.device, kind, None, {}, {}, ok=False, why=f"it cannot draw: {error}")
        if drawn.shape != reference.shape or drawn.dtype != reference.dtype:
            why = f"it gave {drawn.dtype} {drawn.shape}, not {reference.dtype} {reference.shape}"
            return Checked(name, engine.device, kind, None, {}, {}, ok=False, why=why)
        found = psnr(drawn, reference)
        ms, p95 = ({str(n): round(float(np.percentile(t, p)), 2) for n, t in times.items()} for p in (50, 95))
        need = NEED[kind]
        why = "" if found >= need else f"{found:.1f} dB from fp32, {need:.0f} are needed"
        if not why and (worst := _blot(drawn, reference)) > MAX_PATCH_LEVELS:
            blot = f"{PATCH_PX} px that are {worst:.0f} levels off, as NaN leaves them"
            why = f"{found:.1f} dB from fp32, with a blot: {blot}"
        return Checked(name, engine.device, kind, found, ms, p95, ok=not why, why=why)


def _blot(drawn: U8, reference: U8) -> float:
    """How far off the worst patch is, in levels. Both: (N, h, w, 4) RGBA, or (N, h * 3 / 2, w) planes."""
    count, down, across = len(drawn), drawn.shape[1] // PATCH_PX, drawn.shape[2] // PATCH_PX
    off = np.abs(drawn.astype(np.int16) - reference)[:, : down * PATCH_PX, : across * PATCH_PX]
    return float(off.reshape(count, down, PATCH_PX, across, PATCH_PX, -1).mean(axis=(2, 4, 5)).max())


def own(engine: Engine) -> str:
    """The precision that an engine chose by itself; its device tells."""
    found = re.search(r"\b(?:f32|bf16|f16)\b", engine.device)
    return {"f32": "fp32", "f16": "fp16", "bf16": "bf16"}[found[0]] if found else "fp32"


def _short(error: EngineError) -> str:
    return str(error).split(" / ", 1)[-1].partition(": ")[2] or str(error)


def _draw(engine: Engine, pictures: U8) -> U8:
    return np.concatenate([engine(pictures[i : i + MAX_BATCH]) for i in range(0, len(pictures), MAX_BATCH)])


def _times(engine: Engine, pictures: U8, count: int) -> list[float]:
    """Milliseconds of each timed call with ``count`` crops, in and out."""
    batch = np.ascontiguousarray(np.resize(pictures, (count, *pictures.shape[1:])))
    times = []
    for number in range(WARM_UP_CALLS + TIMED_CALLS):
        began = time.perf_counter()
        engine(batch)
        if number >= WARM_UP_CALLS:
            times.append(1000 * (time.perf_counter() - began))
    return times


def as_table(results: list[Checked]) -> str:
    """Everything, for people."""
    batches = max((list(r.ms) for r in results), key=len, default=[])
    heads = "".join(f"{f'ms x{n}, p95':>16}" for n in batches)
    lines = [f"{'engine':16} {'precision':9} {'dB':>6} {heads}   device"]
    for r in results:
        if r.psnr_db is None:
            lines.append(f"{r.engine:16} {r.precision:9} {'-':>6}   {'REFUSED: ' if r.device else ''}{r.why}")
        else:
            times = "".join(f"{r.ms[n]:9.2f}{r.ms_p95[n]:7.1f}" for n in batches)
            lines.append(
                f"{r.engine:16} {r.precision:9} {r.psnr_db:6.1f} {times}   {r.device}"
                + (f"  REFUSED: {r.why}" if r.why else "")
            )
    return "\n".join(lines)
