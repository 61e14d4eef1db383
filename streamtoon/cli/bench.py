"""``streamtoon bench``: milliseconds, latency, steadiness and engines, measured."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from foundation.progress import Progress
from streamtoon.cli import console
from streamtoon.cli.arguments import COMMON, DRAWING, PLACE, Flag, frames_per_second, seconds
from streamtoon.cli.toon import toon
from streamtoon.errors import UsageError

if TYPE_CHECKING:
    from streamtoon.pipeline.timings import Meter
    from streamtoon.pipeline.toon import Toon

NAME: Final = "bench"
HELP: Final = "measure milliseconds a verb, fps, memory and the ratio to the codec's work"
FLAGS: Final = (
    *DRAWING,
    *PLACE,
    *COMMON,
    Flag(
        "what",
        "convert against the codec's work alone (default), live's latency, how steady drawings are, or how fast each "
        "engine draws",
        "positional",
        default="convert",
        choices=("convert", "live", "flicker", "engines"),
    ),
    Flag(
        "input",
        "a film to measure on, several for flicker; more styles or ONNX files for engines (default: the embedded "
        "portrait, 300 frames of 720p)",
        "list",
        short="i",
    ),
    Flag("seconds", "how long live runs (default: 20)", default=20.0, parse=seconds),
    Flag("fps", "the pace of live's source (default: the film's own)", parse=frames_per_second),
    Flag("json", "print one JSON object", "switch"),
)


def run(args: argparse.Namespace) -> int:
    """Measure and print a table or JSON."""
    inputs = args.input or []
    if args.what not in ("flicker", "engines") and len(inputs) > 1:
        raise UsageError(f"bench {args.what} takes one --input, {len(inputs)} were given")
    result = BENCHES[args.what](args, inputs)
    print(json.dumps(asdict(result)) if args.json else result.as_table())
    return 0


def _convert(args: argparse.Namespace, inputs: list[str]) -> Any:
    from streamtoon.bench.convert import bench

    def make(meter: Meter) -> Toon:
        return toon(args, region=args.region, background=args.background, meter=meter)

    return bench(next(iter(inputs), None), make, args.threads)


def _live(args: argparse.Namespace, inputs: list[str]) -> Any:
    from streamtoon.bench.live import bench_live

    with closing(Progress("measuring")) as progress:
        return bench_live(
            next(iter(inputs), None),
            lambda meter: _live_toon(args, region=args.region, meter=meter),
            seconds=args.seconds,
            fps=args.fps,
            threads=args.threads,
            progress=progress,
        )


def _flicker(args: argparse.Namespace, inputs: list[str]) -> Any:
    from streamtoon import style_folder
    from streamtoon.bench.flicker import flicker

    # a picture style's drawing is measured all over, not what a call shows of it
    region = "frame" if args.region is None and style_folder.load(args.style).whole_picture else args.region
    # each film gets a toon of its own, from the same engine: which one that is, is told once
    with console.each_line_once(), closing(Progress("measuring")) as progress:
        return flicker(inputs, lambda: _live_toon(args, region=region), progress)


def _live_toon(args: argparse.Namespace, *, region: str | None, meter: Meter | None = None) -> Toon:
    return toon(args, workload="live", private=True, region=region, background=args.background, meter=meter)


def _engines(args: argparse.Namespace, inputs: list[str]) -> Any:
    from streamtoon.bench.engines import bench_engines

    return bench_engines(args.style, inputs, args.threads)


BENCHES: Final[dict[str, Callable[[argparse.Namespace, list[str]], Any]]] = {
    "convert": _convert,
    "live": _live,
    "flicker": _flicker,
    "engines": _engines,
}
