"""The command line's words: every command, its flags, what they may be and what they say of themselves."""

from __future__ import annotations

import argparse
import math
import os
from typing import Any, Final, NoReturn

from streamtoon import __version__

REGIONS: Final = ("face", "head", "frame")
BACKGROUNDS: Final = ("keep", "paper", "blur", "draw")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, as every other error."""
        self.exit(2, f"error: {message}; {self.prog} --help tells the flags\n")


def parser() -> argparse.ArgumentParser:
    """All commands and their flags."""
    root = _Parser(prog="streamtoon", description="The same picture, with the people in it drawn.")
    root.add_argument("--version", action="version", version=f"streamtoon {__version__}")
    commands = root.add_subparsers(title="commands", required=True, metavar="COMMAND")

    common = _Parser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    common.add_argument("--config", metavar="FILE", help="TOML file whose keys are the flags' names; a flag beats it")
    common.add_argument(
        "--dump-config", action="store_true", help="print the settings in force as such a file, and stop"
    )
    drawing = _Parser(add_help=False)
    drawing.add_argument("--style", default="ink", help="a shipped style or the folder of one (default: ink)")
    _engine_flags(drawing)
    regions = _Parser(add_help=False)
    regions.add_argument("--region", choices=REGIONS, help="what is drawn (default: the style's)")
    regions.add_argument("--background", choices=BACKGROUNDS, help="what becomes of the rest (default: the style's)")

    def command(name: str, text: str, *parents: _Parser) -> Any:
        return commands.add_parser(
            name, help=text, description=text[0].upper() + text[1:] + ".", parents=[*parents, common]
        )

    convert = command("convert", "draw the people in a film, a picture or a folder", drawing, regions)
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

    demo = command("demo", "draw the embedded portrait: a clip and a before/after picture", drawing)
    demo.add_argument("-o", "--output", default="streamtoon-demo", help="folder to write to (default: streamtoon-demo)")

    bench = command(
        "bench", "measure milliseconds a verb, fps, memory and the ratio to the codec's work", drawing, regions
    )
    bench.add_argument(
        "what", nargs="?", choices=("convert", "live", "flicker", "engines"), default="convert",
        help="convert against the codec's work alone (default), live's latency, how steady drawings are, or how fast "
        "each engine draws",
    )  # fmt: skip
    bench.add_argument(
        "-i", "--input", action="append",
        help="a film to measure on, several for flicker; more styles or ONNX files for engines (default: the embedded "
        "portrait, 300 frames of 720p)",
    )  # fmt: skip
    bench.add_argument("--seconds", type=_seconds, default=20.0, help="how long live runs (default: 20)")
    bench.add_argument("--fps", type=_rate, help="the pace of live's source (default: the film's own)")
    bench.add_argument("--json", action="store_true", help="print one JSON object")

    live = command("live", "draw the people before a camera, for a call", drawing)
    live.add_argument("--source", default="webcam:", help="webcam:, webcam:NUMBER, webcam:NAME, a film, or rtsp://...")
    live.add_argument(
        "--sink", action="append",
        help="virtualcam:, virtualcam:DEVICE, window:, udp://HOST:PORT, rtmp://..., out.mp4; several may be given",
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
    live.add_argument("--fps", type=_rate, default=30.0, help="pictures a second (default: 30)")
    live.add_argument(
        "--mirror", action=argparse.BooleanOptionalAction, default=True, help="mirror the preview; never what leaves"
    )
    live.add_argument("--preview", action=argparse.BooleanOptionalAction, default=True, help="show a window")

    web = command("web", "the same in a browser: live, photos, films, styles, this machine")
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

    doctor = command("doctor", "look at this machine: what live has, what it lacks and what fixes it")
    doctor.add_argument("--json", action="store_true", help="print one JSON object")

    engine = command("engine", "compile plans for an NVIDIA GPU, list and check what draws")
    engine.add_argument("action", choices=("build", "list", "check", "clear"))
    engine.add_argument("style", nargs="?", default="ink", help="a shipped style or the folder of one (default: ink)")
    engine.add_argument(
        "--precision", choices=("fp32", "fp16", "int8"), default="fp16", help="to build (default: fp16)"
    )
    engine.add_argument(
        "--crops", help="folder of square pictures, or .npz, to check or calibrate on (default: portraits)"
    )
    engine.add_argument("--cache", help="folder of the plans (default: this user's cache)")
    engine.add_argument("--json", action="store_true", help="print one JSON object")

    models = command("models", "the face models: list them, or fetch them all now")
    models.add_argument("action", choices=("list", "fetch"))
    return root


def _engine_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--engine", default="auto",
        help="what draws: auto, tensorrt, onnxruntime, openvino, torch or echo, with a choice of its own where it has "
        "one: tensorrt:int8, onnxruntime:cuda, openvino:f32 (default: auto, the fastest that runs here)",
    )  # fmt: skip
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


def _rate(text: str) -> float:
    return _number(text, "no number of pictures a second", 1, 240)


def _seconds(text: str) -> float:
    return _number(text, "no number of seconds", 1, 86_400)


def _number(text: str, wrong: str, least: float, most: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is {wrong} from {least:g} to {most:g}")
    return number


def _threads(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 256:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of threads from 1 to 256")
    return int(text)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit() and 16 <= int(width) <= 7680 and 16 <= int(height) <= 4320):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write 1280x720")
    return int(width), int(height)
