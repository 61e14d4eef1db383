"""The command line: subcommands, and the only place that turns an error into a message and an exit code.

0 done; 1 it could not be done, or the input was damaged; 2 asked wrongly; 130 stopped by Ctrl-C; 143 by SIGTERM.
Heavy libraries are imported where a command needs them: ``streamtoon --help`` answers at once.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

from streamtoon.cli import arguments as flags
from streamtoon.cli import config_file, console, malloc_arenas
from streamtoon.errors import StreamtoonError, UsageError

if TYPE_CHECKING:
    from engines import Engine
    from streamtoon.pipeline.timings import Meter
    from streamtoon.pipeline.toon import Toon
    from streamtoon.types import Style
    from streamtoon.workflows.convert import Progress


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    parser = flags.parser()
    try:
        args = config_file.parse(parser, arguments)
    except UsageError as error:
        _say(f"error: {_one_line(error)}")
        return error.exit_code
    if args.dump_config:
        print(config_file.dump(parser, args), end="")
        return 0
    asked: list[int] = []  # the exit code for the signal that came
    try:
        _heed(asked)
        with console.shown():
            code = COMMANDS[args.command](args)
    except KeyboardInterrupt:
        _say("stopped; nothing half-written was left")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if asked:  # what it interrupts may fail in its own words: an import that was cut off is an ImportError
            return asked[0]
        if args.debug:
            raise
        _say(f"error: {_one_line(error)}")
        return error.exit_code if isinstance(error, StreamtoonError) else 1
    return code


def run() -> None:
    """The program: ``main``, and then the end of the process, with its exit code."""
    malloc_arenas.limit_malloc_arenas()
    try:
        code = main()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    # a thread may still be in a camera's driver or in a detector: Python would wait for one, and abort in the other
    if code > 128 or threading.active_count() > 1:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _heed(asked: list[int]) -> None:
    """From now on SIGINT and SIGTERM write the exit code for them into ``asked`` and raise, wherever they come."""

    def stop(number: int, _frame: object) -> None:
        asked.append(128 + number)
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(asked[0])

    def lost(ignored: sys.UnraisableHookArgs) -> None:
        # raised where Python can only drop it, as in the callbacks that every import makes: the signal is sent again
        if asked and issubclass(ignored.exc_type, KeyboardInterrupt | SystemExit):
            threading.Timer(0.05, os.kill, (os.getpid(), asked[0] - 128)).start()
        else:
            sys.__unraisablehook__(ignored)

    sys.unraisablehook = lost
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # a shell's background job is not to be interrupted
            signal.signal(number, stop)


def _one_line(error: Exception) -> str:
    from engines import EngineError

    text = " ".join(str(error).split())
    if isinstance(error, (StreamtoonError, EngineError)):
        return text
    return f"{type(error).__name__}: {text}; this is a fault of streamtoon, run again with --debug and report it"


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _engine(
    args: argparse.Namespace, style: Style, threads: int, *, swap: bool = False, say: Callable[[str], None] = _say
) -> Engine:
    """What draws ``style``; with ``swap`` "auto" starts on the CPU and changes while it draws."""
    import engines
    from foundation.progress import Progress
    from streamtoon.workflows import engine_choice as engine

    try:
        engines.known(args.engine)
    except engines.EngineError as error:
        raise UsageError(str(error)) from error
    with closing(Progress()) as progress:
        return (engine.live if swap else engine.load)(args.engine, style, threads=threads, say=say, progress=progress)


def _toon(
    args: argparse.Namespace,
    *,
    private: bool = False,
    live: bool = False,
    meter: Meter | None = None,
    say: Callable[[str], None] = _say,
) -> Toon:
    from streamtoon import style_folder
    from streamtoon.pipeline.toon import Toon

    style = style_folder.load(args.style)
    # a film keeps every core busy with reading, finding and coding as well: threads that wait for one only spin
    engine = _engine(args, style, args.threads if live else max(1, args.threads // 2), say=say)
    region, background = getattr(args, "region", None), getattr(args, "background", None)
    return Toon(style, engine, region=region, background=background, private=private or live, steady=live, meter=meter)


def _convert(args: argparse.Namespace) -> int:
    from streamtoon import style_folder
    from streamtoon.workflows import convert

    style_folder.load(args.style)
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
    from streamtoon.workflows import demo

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
    from foundation.progress import Progress

    inputs = args.input or []
    if args.what not in ("flicker", "engines") and len(inputs) > 1:
        raise UsageError(f"bench {args.what} takes one --input, {len(inputs)} were given")
    clip = inputs[0] if inputs else None
    result: Any
    if args.what == "live":
        from streamtoon.bench import live as bench_live

        with closing(Progress("measuring")) as progress:
            result = bench_live.bench_live(
                clip, lambda meter: _toon(args, live=True, meter=meter), seconds=args.seconds, fps=args.fps,
                threads=args.threads, progress=progress,
            )  # fmt: skip
    elif args.what == "engines":
        from streamtoon.bench import engines as bench_engines

        result = bench_engines.bench_engines(args.style, inputs, args.threads, _say)
    elif args.what == "flicker":
        from streamtoon.bench import flicker

        once = functools.cache(_say)  # each film gets a toon of its own, from the same engine
        with closing(Progress("measuring")) as progress:
            result = flicker.flicker(inputs, lambda: _toon(args, live=True, say=once), progress)
    else:
        from streamtoon.bench import convert as bench

        result = bench.bench(clip, lambda meter: _toon(args, meter=meter), args.threads)
    print(json.dumps(asdict(result)) if args.json else result.as_table())
    return 0


def _live(args: argparse.Namespace) -> int:
    from streamtoon import style_folder
    from streamtoon.pipeline.toon import Toon
    from streamtoon.workflows import live_session

    if not args.sink and not args.preview:
        raise UsageError("nothing to send to: name a --sink, or leave the preview on")
    background: Any = args.background
    paper = re.fullmatch(r"#([0-9a-fA-F]{6})", background)
    if paper:
        background = "paper"
    elif background not in flags.BACKGROUNDS:
        background = live_session.picture(background)

    def make(name: str, meter: Meter) -> Toon:
        style = style_folder.load(name)
        if paper:
            red, green, blue = bytes.fromhex(paper[1])
            style = replace(style, paper=(red, green, blue))
        engine = _engine(args, style, args.threads, swap=True)
        return Toon(
            style, engine, region=args.region, background=background, faces=args.face,
            private=args.on_no_face != "passthrough", hold=args.on_no_face == "hold", steady=True, meter=meter,
        )  # fmt: skip

    if args.on_no_face == "passthrough":
        _say("PASSTHROUGH: where no face is found the undrawn camera picture leaves")
    options = live_session.Options(
        args.source, args.sink or [], args.size, args.fps, args.mirror, args.preview, args.threads
    )
    done = live_session.session(options, args.style, make, _say)
    print(f"{done.new} new pictures, {done.dropped} dropped, latency {1000 * done.latency():.0f} ms, {done.engine}")
    return 0


def _web(args: argparse.Namespace) -> int:
    import engines
    from streamtoon.web.serve import serve
    from streamtoon.web.settings import MEGABYTE, Settings

    try:
        engines.known(args.engine)
    except engines.EngineError as error:
        raise UsageError(str(error)) from error
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
    from streamtoon.doctor import report

    findings = report.examine()
    print(json.dumps(report.as_json(findings)) if args.json else report.as_table(findings))
    return 0 if report.works(findings) else 1


def _engine_command(args: argparse.Namespace) -> int:
    from pathlib import Path

    from streamtoon.cli import engine as engine_command

    return engine_command.run(
        args.action, args.style, args.precision, json=args.json, crops=Path(args.crops) if args.crops else None,
        cache=Path(args.cache) if args.cache else None,
    )  # fmt: skip


def _models(args: argparse.Namespace) -> int:
    from streamtoon.pipeline import face_models

    for name, model in face_models.MODELS.items():
        if args.action == "fetch":
            face_models.path(name)
        print(f"{face_models.state(name):10}  {name:44}  {model.purpose} ({model.licence})")
    return 0


COMMANDS: Final[dict[str, Callable[[argparse.Namespace], int]]] = {
    "convert": _convert,
    "demo": _demo,
    "bench": _bench,
    "live": _live,
    "web": _web,
    "doctor": _doctor,
    "engine": _engine_command,
    "models": _models,
}
