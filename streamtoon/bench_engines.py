"""bench engines: latency and throughput of what runs here; on an NVIDIA GPU, against the floor of the card."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

import engines
import engines.nvidia
import trt_build
from engines import MAX_BATCH, U8, Engine, EngineError
from trt_build import cost, crops
from trt_build.resnet9 import resnet9

BATCHES: Final = (1, 2, 4, 8, 16, 32, 64, 256, 512)
PRECISIONS: Final = ("fp16", "fp32", "int8")
SECONDS: Final = 1.0  # that a batch size is measured for, at least FEWEST calls
FEWEST: Final = 5
OTHERS: Final = ("onnxruntime:gpu", "onnxruntime:cpu", "openvino")
RESNET9: Final = "resnet9"


@dataclass(frozen=True, slots=True)
class Row:
    """One network by one engine with one batch size. A call is crops in ordinary memory to drawings in ordinary memory.

    ms, ms_p95   of a call: median, 95th percentile
    floor_ratio  the median over the card's floor (trt_build.cost); None off TensorRT and for INT8
    matrix       share of the card's measured matrix rate that the call's arithmetic reaches; None as above
    """

    network: str
    engine: str
    precision: str
    batch: int
    ms: float
    ms_p95: float
    crops_per_second: float
    floor_ratio: float | None
    matrix: float | None


@dataclass(frozen=True, slots=True)
class Result:
    """Everything that was measured, on what, and what could not run and why."""

    gpu: str
    tensorrt: str
    matrix_tflops: dict[str, float]
    memory_gb_per_second: float | None
    rows: list[Row]
    not_here: dict[str, str]

    def as_table(self) -> str:
        """Everything, for people."""
        lines = [f"{self.gpu or 'no NVIDIA GPU'}{', ' + self.tensorrt if self.tensorrt else ''}"]
        if self.memory_gb_per_second is not None:
            rates = ", ".join(f"{kind} {rate:.0f} TFLOP/s" for kind, rate in self.matrix_tflops.items())
            lines.append(f"measured: matrix {rates}; memory {self.memory_gb_per_second:.0f} GB/s")
        heads = f"{'network':10} {'engine':16} {'precision':9} {'batch':>5} {'ms':>9} {'p95':>9} {'crops/s':>9}"
        lines.append(f"{heads}  floor  matrix")
        for r in self.rows:
            line = f"{r.network:10} {r.engine:16} {r.precision:9} {r.batch:5} {r.ms:9.3f} {r.ms_p95:9.3f}"
            line += f" {r.crops_per_second:9.0f}"
            if r.floor_ratio is not None and r.matrix is not None:
                line += f"  {r.floor_ratio:4.1f}x  {100 * r.matrix:4.0f} %"
            lines.append(line)
        return "\n".join([*lines, *(f"not here: {name}: {why}" for name, why in self.not_here.items())])


def bench_engines(style: str, networks: list[str], threads: int, say: Callable[[str], None]) -> Result:
    """Measure ``style`` and ``networks`` (styles, ONNX files); on a GPU a full-size CycleGAN as well.

    say: is told what is measured next. Raises EngineError for a network that cannot be read.
    """
    rows: list[Row] = []
    not_here: dict[str, str] = {}
    rates: cost.Rates | None = None
    gpu = library = ""
    try:
        card, found = engines.nvidia.gpu(), engines.nvidia.library()
        gpu = f"{card.name}, compute capability {card.capability}, driver for CUDA {card.cuda}"
        library = f"{found.name} {found.version}"
        rates = cost.rates()
    except EngineError as error:
        not_here["tensorrt"] = str(error)
    with tempfile.TemporaryDirectory() as folder:
        names = [style, *networks]
        if rates is not None:
            Path(folder, f"{RESNET9}.onnx").write_bytes(resnet9())
            names.append(str(Path(folder, f"{RESNET9}.onnx")))
        for name in names:
            source = trt_build.read(name)
            pictures = crops.default(source.size)
            for engine_name, kind, load in _loads(source, threads, gpu=rates is not None):
                say(f"{source.name}, {engine_name}, {kind}")
                try:
                    engine = load()
                    rows += _rows(source, (engine_name, kind), engine, pictures, rates)
                    engine.close()
                except EngineError as error:
                    not_here[f"{source.name}, {engine_name}, {kind}"] = str(error)
    flop = {} if rates is None else {kind: round(rate / 1e12, 1) for kind, rate in rates.flop.items()}
    memory = None if rates is None else round(rates.memory / 1e9)
    return Result(gpu, library, flop, memory, rows, not_here)


def _loads(source: trt_build.Source, threads: int, *, gpu: bool) -> Iterator[tuple[str, str, Callable[[], Engine]]]:
    """Engine, precision, and how to load it."""

    def compiled(kind: str) -> Callable[[], Engine]:
        most = BATCHES[-1]
        return lambda: engines.load(
            "tensorrt", source.onnx, plan=lambda _: trt_build.plan(source, kind, profile=(1, 64, most)).path
        )

    def plain(name: str) -> Callable[[], Engine]:
        return lambda: engines.load(name, source.onnx, threads=threads)

    if gpu:
        yield from (("tensorrt", kind, compiled(kind)) for kind in PRECISIONS)
    yield from ((name, "its own" if name == "openvino" else "fp32", plain(name)) for name in OTHERS)


def _rows(
    source: trt_build.Source, what: tuple[str, str], engine: Engine, pictures: U8, rates: cost.Rates | None
) -> Iterator[Row]:
    name, kind = what
    counted = cost.cost(source.onnx, source.size) if rates is not None and name == "tensorrt" else None
    for batch in BATCHES if name == "tensorrt" else [b for b in BATCHES if b <= MAX_BATCH]:
        times = _times(engine, np.ascontiguousarray(np.resize(pictures, (batch, *pictures.shape[1:]))))
        middle, late = (float(np.percentile(times, p)) for p in (50, 95))
        ratio = matrix = None
        if counted is not None and rates is not None and kind in rates.flop:
            ratio = round(middle / counted.floor(batch, kind, rates), 2)
            matrix = round(counted.flop * batch / middle / rates.flop[kind], 3)
        yield Row(
            source.name, name, kind, batch, round(1000 * middle, 3), round(1000 * late, 3), round(batch / middle, 1),
            ratio, matrix,
        )  # fmt: skip


def _times(engine: Engine, batch: U8) -> list[float]:
    """Seconds of each call, after two that warm it."""
    for _ in range(2):
        engine(batch)
    times: list[float] = []
    while sum(times) < SECONDS or len(times) < FEWEST:
        began = time.perf_counter()
        engine(batch)
        times.append(time.perf_counter() - began)
    return times
