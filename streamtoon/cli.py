"""The command line: subcommands, and the only place that turns an error into a message and an exit code.

0 done; 1 it could not be done, or the input was damaged; 2 asked wrongly; 130 stopped by Ctrl-C; 143 by SIGTERM.
Heavy libraries are imported where a command needs them: ``streamtoon --help`` answers at once.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

from streamtoon import __version__, config
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
    parser = _parser()
    try:
        args = config.parse(parser, arguments)
    except UsageError as error:
        _say(f"error: {_one_line(error)}")
        return error.exit_code
    if args.dump_config:
        print(config.dump(parser, args), end="")
        return 0
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
    common.add_argument("--config", metavar="FILE", help="TOML file whose keys are the flags' names; a flag beats it")
    common.add_argument(
        "--dump-config", action="store_true", help="print the settings in force as such a file, and stop"
    )
    drawing = argparse.ArgumentParser(add_help=False)
    drawing.add_argument("--style", default="ink", help="a shipped style or the folder of one (default: ink)")
    _engine_flags(drawing)
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
        "what", nargs="?", choices=("convert", "live", "flicker"), default="convert",
        help="convert against the codec's work alone (default), live's latency, or how steady drawings are",
    )  # fmt: skip
    bench.add_argument(
        "-i", "--input", action="append",
        help="a film to measure on; several for flicker (default: the embedded portrait, 300 frames of 720p)",
    )  # fmt: skip
    bench.add_argument("--seconds", type=float, default=20.0, help="how long live runs (default: 20)")
    bench.add_argument("--fps", type=float, help="the pace of live's source (default: the film's own)")
    bench.add_argument("--json", action="store_true", help="print one JSON object")

    live = command("live", _live, "draw the people before a camera, for a call", drawing)
    live.add_argument("--source", default="webcam:", help="webcam:, webcam:NUMBER, webcam:NAME, a film or its address")
    live.add_argument(
        "--sink", action="append",
        help="virtualcam:, virtualcam:DEVICE, udp://HOST:PORT, rtmp://..., out.mp4; may be given several times",
    )  # fmt: skip
    live.add_argument("--region", choices=REGIONS, help="what is drawn (default: the style's)")
    live.add_argument(
        "--background", default="paper",
        help="keep, paper, blur, draw, a colour (#RRGGBB) or a picture behind what is drawn (default: paper)",
    )  # fmt: skip
    live.add_argument("--face", choices=("all", "largest", "centre"), default="all", help="who is drawn (default: all)")
    live.add_argument(
        "--on-no-face", choices=("hold", "card", "passthrough"), default="hold",
        help="hold the last drawn picture for half a second and then show a card (default), a card at once, or let "
        "THE UNDRAWN CAMERA PICTURE pass",
    )  # fmt: skip
    live.add_argument("--size", type=_size, help="WIDTHxHEIGHT of what leaves (default: the camera's)")
    live.add_argument("--fps", type=float, default=30.0, help="pictures a second (default: 30)")
    live.add_argument(
        "--mirror", action=argparse.BooleanOptionalAction, default=True, help="mirror the preview; never what leaves"
    )
    live.add_argument("--preview", action=argparse.BooleanOptionalAction, default=True, help="show a window")

    web = command("web", _web, "the same in a browser: live, photos, films, styles, this machine")
    web.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this machine alone)"
    )
    web.add_argument("--port", type=_port, default=7860, help="port to listen on; 0 takes a free one (default: 7860)")
    web.add_argument("--auth", type=_auth, metavar="USER:PASSWORD", help="ask for them (default: nobody is asked)")
    web.add_argument("--max-sessions", type=_count, default=4, help="people live at the same time (default: 4)")
    web.add_argument("--max-upload", type=_count, default=500, help="megabytes of one uploaded file (default: 500)")
    web.add_argument("--max-minutes", type=_count, default=10, help="length of a film (default: 10)")
    web.add_argument(
        "--ice", action="append", metavar="ADDRESS",
        help="a STUN or TURN server, such as stun:stun.example.org:3478; may be given several times (default: none)",
    )  # fmt: skip
    web.add_argument(
        "--share", action="store_true", help="let ANYBODY ON THE INTERNET who gets the address in, by Gradio's tunnel"
    )
    _engine_flags(web)

    doctor = command("doctor", _doctor, "look at this machine: what live has, what it lacks and what fixes it")
    doctor.add_argument("--json", action="store_true", help="print one JSON object")

    models = command("models", _models, "the face models: list them, or fetch them all now")
    models.add_argument("action", choices=("list", "fetch"))
    return parser


def _engine_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--engine", default="auto", help="what draws: auto, openvino or echo (default: auto)")
    parser.add_argument(
        "--threads", type=_threads, default=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2,
        help="threads that drawing and coding may each use (default: one for every core)",
    )  # fmt: skip


def _port(text: str) -> int:
    if not text.isdigit() or not 0 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; give a number from 0 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number from 1 to 100000")
    return int(text)


def _auth(text: str) -> tuple[str, str]:
    user, _, password = text.partition(":")
    if not user or not password:
        raise argparse.ArgumentTypeError("it must be USER:PASSWORD")
    return user, password


def _threads(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 256:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of threads from 1 to 256")
    return int(text)


def _engine(args: argparse.Namespace, style: Style, threads: int) -> Engine:
    import engines

    if args.engine != "auto" and args.engine not in engines.NAMES:
        raise UsageError(f"no engine is called {args.engine!r}; choose one of auto, {', '.join(engines.NAMES)}")
    return engines.load(args.engine, style.onnx, threads=threads)


def _toon(args: argparse.Namespace, *, private: bool = False, live: bool = False, meter: Meter | None = None) -> Toon:
    from streamtoon import styles
    from streamtoon.toon import Toon

    style = styles.load(args.style)
    # a film keeps every core busy with reading, finding and coding as well: threads that wait for one only spin
    engine = _engine(args, style, args.threads if live else max(1, args.threads // 2))
    region, background = getattr(args, "region", None), getattr(args, "background", None)
    return Toon(style, engine, region=region, background=background, private=private or live, steady=live, meter=meter)


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
    inputs = args.input or []
    if args.what != "flicker" and len(inputs) > 1:
        raise UsageError(f"bench {args.what} takes one --input, {len(inputs)} were given")
    clip = inputs[0] if inputs else None
    result: Any
    if args.what == "live":
        from streamtoon import bench_live

        result = bench_live.bench_live(
            clip, lambda meter: _toon(args, live=True, meter=meter), seconds=args.seconds, fps=args.fps,
            threads=args.threads,
        )  # fmt: skip
    elif args.what == "flicker":
        from streamtoon import bench_flicker

        result = bench_flicker.flicker(inputs, lambda: _toon(args, live=True))
    else:
        from streamtoon import bench

        result = bench.bench(clip, lambda meter: _toon(args, meter=meter), args.threads)
    print(json.dumps(asdict(result)) if args.json else result.as_table())
    return 0


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit() and 16 <= int(width) <= 7680 and 16 <= int(height) <= 4320):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write 1280x720")
    return int(width), int(height)


def _live(args: argparse.Namespace) -> int:
    from streamtoon import session, styles
    from streamtoon.toon import Toon

    if not args.sink and not args.preview:
        raise UsageError("nothing to send to: name a --sink, or leave the preview on")
    background: Any = args.background
    paper = re.fullmatch(r"#([0-9a-fA-F]{6})", background)
    if paper:
        background = "paper"
    elif background not in BACKGROUNDS:
        background = session.picture(background)

    def make(name: str, meter: Meter) -> Toon:
        style = styles.load(name)
        if paper:
            red, green, blue = bytes.fromhex(paper[1])
            style = replace(style, paper=(red, green, blue))
        return Toon(
            style, _engine(args, style, args.threads), region=args.region, background=background, faces=args.face,
            private=args.on_no_face != "passthrough", hold=args.on_no_face == "hold", steady=True, meter=meter,
        )  # fmt: skip

    if args.on_no_face == "passthrough":
        _say("PASSTHROUGH: where no face is found the undrawn camera picture leaves")
    options = session.Options(
        args.source, args.sink or [], args.size, args.fps, args.mirror, args.preview, args.threads
    )
    done = session.session(options, args.style, make, _say)
    print(f"{done.new} new pictures, {done.dropped} dropped, latency {1000 * done.latency():.0f} ms, {done.engine}")
    return 0


def _web(args: argparse.Namespace) -> int:
    import engines
    from streamtoon.web.serve import serve
    from streamtoon.web.settings import MEGABYTE, Settings

    if args.engine != "auto" and args.engine not in engines.NAMES:
        raise UsageError(f"no engine is called {args.engine!r}; choose one of auto, {', '.join(engines.NAMES)}")
    if args.share and args.auth is None:
        _say("SHARE: without --auth anybody who gets the address can use this machine")
    serve(
        Settings(
            args.host, args.port, args.auth, args.max_sessions, args.max_upload * MEGABYTE, args.max_minutes,
            tuple(args.ice or ()), args.share, args.engine, args.threads,
        ),
        _say,
    )  # fmt: skip
    return 0


def _doctor(args: argparse.Namespace) -> int:
    from streamtoon import doctor

    findings = doctor.examine()
    print(json.dumps(doctor.as_json(findings)) if args.json else doctor.as_table(findings))
    return 0 if doctor.works(findings) else 1


def _models(args: argparse.Namespace) -> int:
    from streamtoon import models

    for name, model in models.MODELS.items():
        if args.action == "fetch":
            models.path(name)
        print(f"{models.state(name):10}  {name:44}  {model.purpose} ({model.licence})")
    return 0
