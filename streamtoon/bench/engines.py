"""bench engines: latency and throughput of what runs here; on an NVIDIA GPU, against the floor of the card."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

import engines
import engines.nvidia
import trt_build
from engines import U8, Engine, EngineError
from engines.about import OWN
from streamtoon.sources import portrait
from streamtoon.workflows.engine_choice import named_source
from trt_build import cost, crops
from trt_build.munet import munet
from trt_build.resnet9 import resnet9
from trt_build.source import Shape

log = logging.getLogger(__name__)

SMALL: Final = (1, 2, 4, 8)  # batches of the plan that everything else uses
LARGE: Final = (16, 32, 64, 256, 512)  # of another plan: what a card does at most
LESS: Final = (16, 32, 64)  # of the plan that is taken where memory does not hold the large one
CALLERS: Final = 2  # that draw at a time: one copies in and out while the other's crops are drawn
PRECISIONS: Final = ("fp16", "fp32", "int8")
# in fp16 and fp32, measured on a GPU alone
MADE: Final[dict[str, Callable[[], bytes]]] = {"munet32": lambda: munet(32), "resnet9": resnet9}
LEAST_SECONDS: Final = 1.0  # that a batch size is warmed and measured for
LEAST_CALLS: Final = 5


@dataclass(frozen=True, slots=True)
class Row:
    """One network by one engine with one batch size. A call is crops in ordinary memory to drawings in ordinary memory.

    Of a network for whole pictures they are pictures of 360x640.

    ms, ms_p95        of a call: median, 95th percentile
    crops_per_second  of one caller
    together          of CALLERS at a time; None where one alone was measured
    floor_ratio       the median over the card's floor (trt_build.cost); None off TensorRT and for INT8
    matrix            share of the card's measured matrix rate that the better of the two rates reaches; None as above
    """

    network: str
    engine: str
    precision: str
    batch: int
    ms: float
    ms_p95: float
    crops_per_second: float
    together: float | None
    floor_ratio: float | None
    matrix: float | None

    def as_line(self) -> str:
        """A line of the table."""
        line = f"{self.network:10} {self.engine:16} {self.precision:9} {self.batch:5} {self.ms:9.3f} {self.ms_p95:9.3f}"
        line += f" {self.crops_per_second:9.0f} {'-' if self.together is None else format(self.together, '.0f'):>9}"
        if self.floor_ratio is not None and self.matrix is not None:
            line += f"  {self.floor_ratio:4.1f}x  {100 * self.matrix:4.0f} %"
        return line


HEAD: Final = (
    f"{'network':10} {'engine':16} {'precision':9} {'batch':>5} {'ms':>9} {'p95':>9} {'crops/s':>9} {'together':>9}"
    "  floor  matrix"
)


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
        lines += [HEAD, *(row.as_line() for row in self.rows)]
        return "\n".join([*lines, *(f"not here: {name}: {why}" for name, why in self.not_here.items())])


class _Run(NamedTuple):
    """An engine to measure, and how: which batches, by how many callers at a time."""

    engine: str
    precision: str
    batches: tuple[int, ...]
    callers: int
    load: Callable[[], Engine]


def bench_engines(style: str, networks: list[str], threads: int) -> Result:
    """Measure ``style`` and ``networks`` (styles, ONNX files); on a GPU a wider one and a full-size CycleGAN as well.

    What is measured next, and every row, is logged. Raises EngineError for a network that cannot be read.
    """
    rows: list[Row] = []
    not_here: dict[str, str] = {}
    gpu = library = ""
    try:
        found, card = engines.nvidia.ready()
        gpu = f"{card.name}, compute capability {card.capability}, driver for CUDA {card.cuda}"
        library = f"{found.name} {found.version}"
    except EngineError as error:
        not_here["tensorrt"] = str(error)
    rates = _rates(not_here) if gpu else None
    with tempfile.TemporaryDirectory() as folder:
        names = [style, *networks]
        for made, graph in MADE.items() if gpu else ():
            names.append(str(Path(folder, f"{made}.onnx")))
            Path(names[-1]).write_bytes(graph())
        for name in names:
            source = named_source(name)
            for choices in _runs(source, threads, gpu=bool(gpu)):
                rows += _measured(source, choices, rates, not_here)
    flop = {} if rates is None else {kind: round(rate / 1e12, 1) for kind, rate in rates.flop.items()}
    memory = None if rates is None else round(rates.memory / 1e9)
    return Result(gpu, library, flop, memory, rows, not_here)


def _rates(not_here: dict[str, str]) -> cost.Rates | None:
    try:
        return cost.rates(portrait.picture())
    except EngineError as error:
        not_here["the card's floor"] = str(error)
        return None


def _runs(source: trt_build.Source, threads: int, *, gpu: bool) -> Iterator[tuple[_Run, ...]]:
    """What to measure; of several that stand together the first that the GPU's memory holds."""

    def compiled(name: str, kind: str, batches: tuple[int, ...], callers: int) -> _Run:
        profile = None if batches == SMALL else (batches[0], 64, batches[-1])
        photo = portrait.picture()

        def plan(precision: str, refused: str, shape: Shape | None) -> Path:
            made = trt_build.plan(source, precision, shape=shape, profile=profile, photo=photo, refused=refused)
            return made.path

        def load() -> Engine:
            engine: Engine = engines.REGISTRY.load(name).load(source.onnx, kind, plan=plan, callers=callers)
            return engine

        return _Run(name, kind, batches, callers, load)

    def plain(name: str, kind: str) -> _Run:
        kind = "its own" if kind == OWN else kind
        return _Run(name, kind, SMALL, 1, lambda: engines.load(name, source.onnx, threads=threads))

    for engine in engines.names():
        about = engines.about(engine)
        kinds = {v.precision for v in about.variants}
        for kind in (k for k in PRECISIONS if about.needs_plan and gpu and k in kinds):
            if kind == "int8" and source.name in MADE:
                continue  # their weights were never trained: there is nothing to calibrate
            yield (compiled(engine, kind, SMALL, CALLERS),)
            if source.size:  # whole pictures come one by one, or with a few faces
                yield tuple(compiled(engine, kind, *most) for most in ((LARGE, CALLERS), (LARGE, 1), (LESS, CALLERS)))
        if not about.needs_plan:
            yield from ((plain(v.name, v.precision),) for v in about.variants if v.timed)


def _measured(
    source: trt_build.Source,
    choices: tuple[_Run, ...],
    rates: cost.Rates | None,
    not_here: dict[str, str],
) -> list[Row]:
    """The rows of the first of ``choices`` that does not run out of GPU memory; what fails is added to ``not_here``."""
    for run in choices:
        what = f"{source.name}, {run.engine}, {run.precision}, {run.batches[-1]} crops, {run.callers} at a time"
        log.info(what)
        try:
            with closing(run.load()) as engine:
                rows = _rows(source, run, engine, rates)
        except EngineError as error:
            not_here[what] = str(error)
            if engines.nvidia.FULL not in str(error):
                break
        else:
            for row in rows:
                log.info(row.as_line())
            return rows
    return []


def _rows(source: trt_build.Source, run: _Run, engine: Engine, rates: cost.Rates | None) -> list[Row]:
    pictures = crops.made(source, portrait.picture(), count=SMALL[-1])
    counted = (
        cost.cost(source.onnx, source.shape) if rates is not None and engines.about(run.engine).needs_plan else None
    )
    rows = []
    for batch in reversed(run.batches):  # the largest first: whether memory holds it shows at once
        fed = np.ascontiguousarray(np.resize(pictures, (batch, *pictures.shape[1:])))
        times = _times(engine, fed)
        middle, late = (float(np.percentile(times, p)) for p in (50, 95))
        together = None if run.callers == 1 else _together(engine, fed, run.callers)
        ratio = matrix = None
        if counted is not None and rates is not None and run.precision in rates.flop:
            ratio = round(middle / counted.floor(batch, run.precision, rates), 2)
            matrix = round(counted.flop * max(batch / middle, together or 0) / rates.flop[run.precision], 3)
        rows.append(
            Row(
                source.name, run.engine, run.precision, batch, round(1000 * middle, 3), round(1000 * late, 3),
                round(batch / middle, 1), together, ratio, matrix,
            )
        )  # fmt: skip
    return rows[::-1]


def _times(engine: Engine, batch: U8) -> list[float]:
    """Seconds of each call; as many before them warm it: graphs, clocks, kernels that are compiled beside drawing."""
    times: list[float] = []
    for _warm in (True, False):
        times.clear()
        while sum(times) < LEAST_SECONDS or len(times) < LEAST_CALLS:
            began = time.perf_counter()
            engine(batch)
            times.append(time.perf_counter() - began)
    return times


def _together(engine: Engine, batch: U8, callers: int) -> float:
    """Crops a second that ``callers`` threads are given together."""
    began = time.perf_counter()

    def call(_number: int) -> int:
        calls = 0
        while time.perf_counter() < began + LEAST_SECONDS or calls < LEAST_CALLS:
            engine(batch)
            calls += 1
        return calls

    with ThreadPoolExecutor(callers) as pool:
        calls = sum(pool.map(call, range(callers)))
    return round(calls * len(batch) / (time.perf_counter() - began), 1)
