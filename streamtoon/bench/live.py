"""bench live: a clip at its own pace through the real live path into a sink that keeps nothing."""

from __future__ import annotations

import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final

import numpy as np

from streamtoon.bench.convert import peak_mb, portrait_film
from streamtoon.contracts import check_output
from streamtoon.film import reader
from streamtoon.pipeline.timings import VERBS, Meter
from streamtoon.pipeline.toon import Toon
from streamtoon.privacy.output_gate import OutputGate
from streamtoon.sources.pacing import play_in_real_time
from streamtoon.types import Frame, OutputFrame
from streamtoon.workflows.live import Live

WARM_UP_S: Final = 2.0  # at the start that are not counted


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured. new_fps: new pictures a second that left; cores: processors busy on average."""

    engine: str
    device: str
    seconds: float
    source_fps: float
    new_fps: float
    dropped: int
    latency_ms: dict[str, float]  # capture to sent: p50, p95, p99, and p95 of the first and last minute
    cores: float
    ms: dict[str, float]
    peak_mb: int
    growth_mb: float

    def as_table(self) -> str:
        """Everything, for people."""
        latency = ", ".join(f"{k} {v:.1f}" for k, v in self.latency_ms.items())
        return "\n".join(
            [
                f"{self.engine} on {self.device}, {self.seconds:.0f} s of {self.source_fps:g} fps",
                *(f"  {verb:6} {self.ms[verb]:7.2f} ms" for verb in VERBS if verb in self.ms),
                f"{self.new_fps:.2f} new pictures a second, {self.dropped} frames dropped",
                f"capture to sent, ms: {latency}",
                f"{self.cores:.2f} cores busy, peak memory {self.peak_mb} MB, grown by {self.growth_mb:.1f} MB",
            ]
        )


class Counter:
    """A sink that counts and keeps nothing."""

    def __enter__(self) -> Callable[[OutputFrame], None]:
        return check_output

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        pass


def bench_live(
    target: str | None,
    make_toon: Callable[[Meter], Toon],
    *,
    seconds: float,
    fps: float | None,
    threads: int,
    progress: Callable[[str, float], None] = lambda _, __: None,
) -> Result:
    """Replay ``target`` (None: the portrait clip) over and over for ``seconds``, at its own rate or at ``fps``.

    ``progress`` is told about once a second what runs and which share of it is done, 0..1.
    """
    with tempfile.TemporaryDirectory(prefix="streamtoon-bench-") as folder:
        clip = Path(target) if target else portrait_film(Path(folder, "portrait.mp4"), threads)
        with reader.open(clip) as film:
            rate = float(film.rate)
            first = next(film.frames())
        meter = Meter()
        toon = make_toon(meter)
        speed = (fps or rate) / rate
        live: Live
        marks: list[tuple[float, float, int, int, float]] = []

        def frames() -> Iterator[Frame]:
            begun = told = time.monotonic()
            for frame in play_in_real_time(_over_and_over(clip), rate=speed):
                now = time.monotonic() - begun
                if not marks and now >= WARM_UP_S:
                    marks.append((time.monotonic(), time.process_time(), live.new, live.dropped, _rss_mb()))
                    live.latencies.clear()
                if now >= seconds + WARM_UP_S:
                    return
                if begun + now >= told + 1:
                    told = begun + now
                    line = f"{live.rate():.1f} fps, {1000 * live.latency():.0f} ms, {live.dropped} dropped"
                    progress(line, now / (seconds + WARM_UP_S))
                yield frame

        safe = OutputGate(first, toon.style.paper)
        live = Live(frames(), toon, safe, [Counter()], fps=fps or rate, threads=threads, meter=meter)
        live.run()
        wall, cpu, new, dropped, rss = marks[0]
        elapsed = time.monotonic() - wall
        latencies = [1000 * x for x in live.latencies]
        return Result(
            toon.engine.name, toon.engine.device, elapsed, fps or rate,
            round((live.new - new) / elapsed, 2), live.dropped - dropped, _percentiles(latencies, fps or rate),
            round((time.process_time() - cpu) / elapsed, 3), meter.medians(), peak_mb(), round(_rss_mb() - rss, 1),
        )  # fmt: skip


def _over_and_over(clip: Path) -> Iterator[Frame]:
    index, start = 0, Fraction(0)
    while True:
        with reader.open(clip) as film:
            first: Fraction | None = None
            seconds = Fraction(0)
            for frame in film.frames():
                first = frame.seconds if first is None else first
                seconds = frame.seconds - first
                yield replace(frame, index=index, seconds=start + seconds)
                index += 1
            start += seconds + film.last_seconds


def _percentiles(latencies: list[float], fps: float) -> dict[str, float]:
    minute = round(60 * fps)
    found = {f"p{p}": round(float(np.percentile(latencies, p)), 2) for p in (50, 95, 99)}
    if len(latencies) > 2 * minute:
        parts = {"p95_first_minute": latencies[:minute], "p95_last_minute": latencies[-minute:]}
        found |= {name: round(statistics.quantiles(part, n=20)[-1], 2) for name, part in parts.items()}
    return found


def _rss_mb() -> float:
    """Memory in use now; 0 where the system does not tell."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * resource.getpagesize() / 1e6 if status.exists() else 0.0
