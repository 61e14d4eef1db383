"""bench: what each verb costs, and how convert compares with the codec's work alone.

The floor is the same film decoded and the drawn film encoded, with the same settings and the same two threads, and
nothing done in between. ``ratio_to_transcode`` is convert's wall time over the floor's, measured in one run.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np

from streamtoon import sinks
from streamtoon.errors import UsageError
from streamtoon.film import reader
from streamtoon.film.encoder import Encoding
from streamtoon.pipeline.timings import VERBS, Meter
from streamtoon.pipeline.toon import Toon
from streamtoon.privacy.guard import Guard
from streamtoon.sources import portrait
from streamtoon.types import Frame, OutputFrame
from streamtoon.workflows.convert import Options, convert
from streamtoon.workflows.threads import every

PORTRAIT_CLIP: Final = "portrait:300@1280x720"
CHUNK_FRAMES: Final = 48  # drawn frames held decoded at a time while the floor is measured


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured: medians in ms a frame, wall-clock frames a second, peak memory in MB (10^6 bytes)."""

    engine: str
    device: str
    style: str
    size: tuple[int, int]
    frames: int
    fps: float
    ms: dict[str, float]
    peak_mb: int
    floor_fps: float
    ratio_to_transcode: float

    def as_table(self) -> str:
        """Everything, for people."""
        rows = [f"  {verb:6} {self.ms[verb]:7.2f} ms" for verb in VERBS if verb in self.ms]
        return "\n".join(
            [
                f"{self.style} by {self.engine} on {self.device}",
                f"{self.frames} frames of {self.size[0]}x{self.size[1]}; median of each verb, which overlap:",
                *rows,
                (
                    f"convert {self.fps:.1f} fps, decode + encode alone {self.floor_fps:.1f} fps: "
                    f"{self.ratio_to_transcode:.2f} times that floor; peak memory {self.peak_mb} MB"
                ),
            ]
        )


def bench(target: str | None, make_toon: Callable[[Meter], Toon], threads: int) -> Result:
    """Convert ``target`` (None: the portrait clip) into a temporary folder and time it against the floor."""
    with tempfile.TemporaryDirectory(prefix="streamtoon-bench-") as folder:
        source = Path(target) if target else portrait_film(Path(folder, "portrait.mp4"), threads)
        output = Path(folder, f"drawn{source.suffix if target else '.mp4'}")
        options = Options(str(source), str(output), threads=threads)
        meter = Meter()
        toon = make_toon(meter)
        with toon:
            began = time.perf_counter()
            summary = convert(options, lambda: toon, meter=meter)
            seconds = time.perf_counter() - began
        peak = peak_mb()
        floor = _floor(source, output, Path(folder, f"floor{output.suffix}"), threads)
        with reader.open(source) as film:
            size = film.size
        return Result(
            toon.engine.name, toon.engine.device, toon.style.name, size, summary.frames,
            round(summary.frames / seconds, 2), meter.medians(), peak,
            round(summary.frames / floor, 2), round(seconds / floor, 3),
        )  # fmt: skip


def portrait_film(path: Path, threads: int, clip: str = PORTRAIT_CLIP) -> Path:
    """The portrait clip as a film."""
    sink = sinks.open(str(path), sinks.Options(encoding=Encoding(threads=threads), rate=Fraction(portrait.FPS)))
    with sink as send:
        for drawn in _unchanged(portrait.read(clip)):
            send(drawn)
    return path


def _unchanged(frames: Iterator[Frame]) -> Iterator[OutputFrame]:
    guard = Guard(private=False)
    return (guard(frame, None, 0) for frame in frames)


def _floor(source: Path, drawn: Path, output: Path, threads: int) -> float:
    """Seconds to decode ``source`` in one thread while ``drawn`` is encoded in another.

    Drawn frames are decoded beforehand, CHUNK_FRAMES at a time so that memory stays constant; that is not timed.
    """
    seconds = 0.0
    with reader.open(source, threads=threads) as film, reader.open(drawn, threads=threads) as pictures:
        if film.size != pictures.size:
            raise UsageError(f"{source}: the floor needs an even width and height, this film has {film.size}")
        sink = sinks.open(str(output), sinks.Options(film, encoding=Encoding(threads=threads)))
        ready = _unchanged(pictures.frames())
        with sink as send, closing(every(film.frames())) as read:
            while chunk := [_copy(d) for _, d in zip(range(CHUNK_FRAMES), ready, strict=False)]:
                began = time.perf_counter()
                for picture, _ in zip(chunk, read, strict=False):
                    send(picture)
                seconds += time.perf_counter() - began
            began = time.perf_counter()
        return seconds + time.perf_counter() - began  # the encoder's last frames leave with the sink


def _copy(drawn: OutputFrame) -> OutputFrame:
    frame = Frame(tuple(np.array(p) for p in drawn.planes), drawn.layout, drawn.index, drawn.seconds, drawn.colour)
    return Guard(private=False)(frame, None, 0)


def peak_mb() -> int:
    """The most memory this process has held, MB (10^6 bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6)
