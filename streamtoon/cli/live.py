"""``streamtoon live``: a camera in, a call's picture out."""

from __future__ import annotations

import argparse
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from streamtoon.cli import console
from streamtoon.cli.arguments import BACKGROUNDS, COMMON, ENGINE, REGION, STYLE, Flag, frames_per_second
from streamtoon.cli.toon import toon
from streamtoon.errors import UsageError

if TYPE_CHECKING:
    from streamtoon.pipeline.timings import Meter
    from streamtoon.pipeline.toon import Toon


def size(text: str) -> tuple[int, int]:
    """Width and height of "1280x720"."""
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit() and 16 <= int(width) <= 7680 and 16 <= int(height) <= 4320):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write 1280x720")
    return int(width), int(height)


NAME: Final = "live"
HELP: Final = "draw the people before a camera, for a call"
FLAGS: Final = (
    replace(STYLE, help=STYLE.help.replace("comic", "line"), default="line"),
    *ENGINE,
    *COMMON,
    Flag("source", "webcam:, webcam:NUMBER, webcam:NAME, a film, or rtsp://...", default="webcam:"),
    Flag(
        "sink",
        "virtualcam:, virtualcam:DEVICE, window:, udp://HOST:PORT, rtmp://..., out.mp4; several may be given",
        "list",
    ),
    REGION,
    Flag(
        "background",
        "keep, paper, blur, draw, a colour (#RRGGBB) or a picture behind what is drawn (default: paper)",
        default="paper",
    ),
    Flag("face", "who is drawn (default: all)", default="all", choices=("all", "largest", "centre")),
    Flag(
        "on-no-face",
        "hold the last drawn picture for half a second and then show a card (default), a card at once, or let THE "
        "UNDRAWN CAMERA PICTURE pass",
        default="hold",
        choices=("hold", "card", "passthrough"),
    ),
    Flag(
        "size",
        "WIDTHxHEIGHT of what leaves (default: the camera's)",
        parse=size,
        write=lambda pair: f"{pair[0]}x{pair[1]}",
    ),
    Flag("fps", "pictures a second (default: 30)", default=30.0, parse=frames_per_second),
    Flag("mirror", "mirror the preview; never what leaves", "yes-no", default=True),
    Flag("preview", "show a window", "yes-no", default=True),
)


def run(args: argparse.Namespace) -> int:
    """Run until the source ends or the user quits."""
    from streamtoon import style_folder
    from streamtoon.workflows import live_session

    if not args.sink and not args.preview:
        raise UsageError("nothing to send to: name a --sink, or leave the preview on")
    background: Any = args.background
    paper = re.fullmatch(r"#([0-9a-fA-F]{6})", background)
    if paper:
        background = "paper"
    elif background not in BACKGROUNDS:
        background = live_session.picture(background)

    def make(name: str, meter: Meter) -> Toon:
        style = style_folder.load(name)
        if paper:
            red, green, blue = bytes.fromhex(paper[1])
            style = replace(style, paper=(red, green, blue))
        return toon(
            args, style=style, workload="live", start_on_cpu=True, region=args.region, background=background,
            faces=args.face, private=args.on_no_face != "passthrough", hold=args.on_no_face == "hold", meter=meter,
        )  # fmt: skip

    if args.on_no_face == "passthrough":
        console.tell("PASSTHROUGH: where no face is found the undrawn camera picture leaves")
    options = live_session.Options(
        args.source, args.sink or [], args.size, args.fps, args.mirror, args.preview, args.threads
    )
    done = live_session.session(options, args.style, make)
    print(f"{done.new} new pictures, {done.dropped} dropped, latency {1000 * done.latency():.0f} ms, {done.engine}")
    return 0
