"""``streamtoon web``: the same in a browser."""

from __future__ import annotations

import argparse
from typing import Final

from streamtoon.cli import console
from streamtoon.cli.arguments import COMMON, ENGINE, Flag


def port(text: str) -> int:
    """A TCP port, 0 for any free one."""
    if not text.isdigit() or not 0 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; give a number from 0 to 65535")
    return int(text)


def count(text: str) -> int:
    """A whole number above 0."""
    if not text.isdigit() or not 1 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number from 1 to 100000")
    return int(text)


def auth(text: str) -> tuple[str, str]:
    """User and password of "user:password"."""
    user, _, password = text.partition(":")
    if not user or not password:
        raise argparse.ArgumentTypeError("it must be USER:PASSWORD")
    return user, password


NAME: Final = "web"
HELP: Final = "the same in a browser: live, photos, films, styles, this machine"
FLAGS: Final = (
    *COMMON,
    Flag("host", "address to listen on (default: 127.0.0.1, this machine alone)", default="127.0.0.1"),
    Flag("port", "port to listen on; 0 takes a free one (default: 7860)", default=7860, parse=port),
    Flag("auth", "ask for them (default: nobody is asked)", parse=auth, write=":".join, metavar="USER:PASSWORD"),
    Flag("max-sessions", "people live at the same time (default: 4)", default=4, parse=count),
    Flag("max-upload", "megabytes of one uploaded file (default: 500)", default=500, parse=count),
    Flag("max-minutes", "length of a film (default: 10)", default=10, parse=count),
    Flag(
        "ice",
        "a STUN or TURN server, such as stun:stun.example.org:3478; may be given several times (default: none)",
        "list",
        metavar="ADDRESS",
    ),
    Flag(
        "share",
        "let ANYBODY ON THE INTERNET who gets the address in, by Gradio's tunnel",
        "switch",
    ),
    *ENGINE,
)


def run(args: argparse.Namespace) -> int:
    """Serve until it is stopped."""
    from streamtoon.web.serve import serve
    from streamtoon.web.settings import MEGABYTE, Settings
    from streamtoon.workflows import make_toon

    make_toon.check(engine=args.engine)
    if args.share and args.auth is None:
        console.tell("SHARE: without --auth anybody who gets the address can use this machine")
    serve(
        Settings(
            args.host, args.port, args.auth, args.max_sessions, args.max_upload * MEGABYTE, args.max_minutes,
            tuple(args.ice or ()), args.share, args.engine, args.threads,
        )
    )  # fmt: skip
    return 0
