"""The command line: subcommands, and the only place that turns an error into a message and an exit code.

0 done; 1 it could not be done, or the input was damaged; 2 asked wrongly; 130 stopped by Ctrl-C; 143 by SIGTERM.
Heavy libraries are imported where a command needs them: ``streamtoon --help`` answers at once.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from streamtoon import __version__
from streamtoon.errors import StreamtoonError, UsageError

if TYPE_CHECKING:
    from engines import Engine
    from streamtoon.convert import Progress
    from streamtoon.meter import Meter
    from streamtoon.toon import Toon
    from streamtoon.types import Style

REGIONS: Final = ("face", "head", "frame")
BACKGROUNDS: Final = ("keep", "paper", "blur", "draw")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    args = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminated)
    try:
        code: int = args.run(args)
    except KeyboardInterrupt:
        _say("stopped; nothing half-written was left")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if args.debug:
            raise
        _say(f"error: {_one_line(error)}")
        return error.exit_code if isinstance(error, StreamtoonError) else 1
    return code


def _terminated(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


def _one_line(error: Exception) -> str:
    from engines import EngineError

    text = " ".join(str(error).split())
    if isinstance(error, (StreamtoonError, EngineError)):
        return text
    return f"{type(error).__name__}: {text}; this is a fault of streamtoon, run again with --debug and report it"


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="streamtoon", description="The same picture, with the people in it drawn.")
    parser.add_argument("--version", action="version", version=f"streamtoon {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    drawing = argparse.ArgumentParser(add_help=False)
    drawing.add_argument("--style", default="ink", help="a shipped style or the folder of one (default: ink)")
    drawing.add_argument("--engine", default="auto", help="what draws: auto, openvino or echo (default: auto)")
    drawing.add_argument(
        "--threads", type=_threads, default=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2,
        help="threads that drawing and coding may each use (default: one for every core)",
    )  # fmt: skip
    regions = argparse.ArgumentParser(add_help=False)
    regions.add_argument("--region", choices=REGIONS, help="what is drawn (default: the style's)")
    regions.add_argument("--background", choices=BACKGROUNDS, help="what becomes of the rest (default: the style's)")

    def command(name: str, run: Callable[[Any], int], text: str, *parents: argparse.ArgumentParser) -> Any:
        sub = commands.add_parser(
            name, help=text, description=text[0].upper() + text[1:] + ".", parents=[*parents, common]
        )
        sub.set_defaults(run=run)
        return sub

    convert = command("convert", _convert, "draw the people in a film, a picture or a folder", drawing, regions)
    convert.add_argument("-i", "--input", required=True, help="a film, a picture, a folder of pictures or portrait:")
    convert.add_argument("-o", "--output", required=True, help="the drawn film, picture or folder")
    convert.add_argument(
        "--private", action="store_true", help="no undrawn picture: faceless frames are held, then a card"
    )
    convert.add_argument("--compare", action="store_true", help="input on the left, drawn on the right")
    convert.add_argument("--encoder", help="video encoder (default: the one that suits the container)")
    convert.add_argument("--crf", type=float, help="quality: lower is better and larger (default: the encoder's usual)")
    convert.add_argument("--preset", help="encoder preset (default: the encoder's usual)")
    convert.add_argument("--audio", action=argparse.BooleanOptionalAction, default=True, help="keep the sound")
    convert.add_argument("--overwrite", action="store_true", help="replace the output if it exists")

    demo = command("demo", _demo, "draw the embedded portrait: a clip and a before/after picture", drawing)
    demo.add_argument("-o", "--output", default="streamtoon-demo", help="folder to write to (default: streamtoon-demo)")

    bench = command(
        "bench", _bench, "measure milliseconds a verb, fps, memory and the ratio to the codec's work", drawing, regions
    )
    bench.add_argument(
        "-i", "--input", help="a film to measure on (default: the embedded portrait, 300 frames of 720p)"
    )
    bench.add_argument("--json", action="store_true", help="print one JSON object")

    models = command("models", _models, "the face models: list them, or fetch them all now")
    models.add_argument("action", choices=("list", "fetch"))
    return parser


def _threads(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 256:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of threads from 1 to 256")
    return int(text)


def _engine(args: argparse.Namespace, style: Style) -> Engine:
    import engines

    if args.engine != "auto" and args.engine not in engines.NAMES:
        raise UsageError(f"no engine is called {args.engine!r}; choose one of auto, {', '.join(engines.NAMES)}")
    # half of them: reading, finding and coding run at the same time, and threads that wait for a core only spin
    return engines.load(args.engine, style.onnx, threads=max(1, args.threads // 2))


def _toon(args: argparse.Namespace, *, private: bool = False, meter: Meter | None = None) -> Toon:
    from streamtoon import styles
    from streamtoon.toon import Toon

    style = styles.load(args.style)
    engine = _engine(args, style)
    region, background = getattr(args, "region", None), getattr(args, "background", None)
    return Toon(style, engine, region=region, background=background, private=private, meter=meter)


def _convert(args: argparse.Namespace) -> int:
    from streamtoon import convert, styles

    styles.load(args.style)
    options = convert.Options(
        args.input,
        args.output,
        args.encoder,
        args.crf,
        args.preset,
        args.audio,
        args.overwrite,
        args.compare,
        args.threads,
        args.private,
    )
    line = _ProgressLine()
    toon: list[Toon] = []

    def make() -> Toon:
        toon.append(_toon(args, private=args.private))
        return toon[0]

    try:
        summary = convert.convert(options, make, line)
    finally:
        line.end()
        for one in toon:
            one.close()
    for notice in summary.notices:
        _say(f"notice: {notice}")
    print(
        f"{args.output}: {summary.frames} frames, {summary.faces} faces, {summary.faceless} frames without a face, "
        f"{summary.fps:.1f} fps, {toon[0].engine.name} on {toon[0].engine.device}"
    )
    if args.private:
        print(f"private: {summary.states['held']} frames held, {summary.states['card']} shown as a card, 0 undrawn")
    if summary.damaged:
        _say(f"error: {args.input} is damaged: {summary.damaged}; {args.output} holds all that could be read")
        return 1
    return 0


class _ProgressLine:
    """One line on a terminal, rewritten; nothing where stderr is a file or a pipe."""

    def __init__(self) -> None:
        self._used = False

    def __call__(self, progress: Progress) -> None:
        if not sys.stderr.isatty():
            return
        self._used = True
        of = f"/{progress.total}" if progress.total else ""
        left = "" if progress.seconds_left is None else f", {_clock(progress.seconds_left)} left"
        sys.stderr.write(f"\r{progress.frames}{of} frames, {progress.fps:.1f} fps{left}\x1b[K")
        sys.stderr.flush()

    def end(self) -> None:
        """Leave the terminal's line clean."""
        if self._used:
            sys.stderr.write("\r\x1b[K")


def _clock(seconds: float) -> str:
    whole = round(seconds)
    return (
        f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}" if whole >= 3600 else f"{whole // 60}:{whole % 60:02}"
    )


def _demo(args: argparse.Namespace) -> int:
    from streamtoon import demo

    line = _ProgressLine()
    try:
        with _toon(args) as toon:
            made = demo.demo(toon, args.output, args.threads, line)
            print(f"drawn clip     {made.clip}")
            print(f"before/after   {made.picture}")
            print(f"ran on         {toon.engine.name}, {toon.engine.device}, style {toon.style.name}")
            print(f"speed          {made.fps:.1f} fps ({made.frames} frames of {made.size[0]}x{made.size[1]})")
    finally:
        line.end()
    return 0


def _bench(args: argparse.Namespace) -> int:
    from streamtoon import bench

    result = bench.bench(args.input, lambda meter: _toon(args, meter=meter), args.threads)
    print(json.dumps(result.as_json()) if args.json else result.as_table())
    return 0


def _models(args: argparse.Namespace) -> int:
    from streamtoon import models

    for name, model in models.MODELS.items():
        if args.action == "fetch":
            models.path(name)
        print(f"{models.state(name):10}  {name:44}  {model.purpose} ({model.licence})")
    return 0
