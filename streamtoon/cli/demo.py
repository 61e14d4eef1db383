"""``streamtoon demo``: the embedded portrait, drawn."""

from __future__ import annotations

import argparse
from contextlib import closing
from typing import Final

from streamtoon.cli import console
from streamtoon.cli.arguments import COMMON, DRAWING, Flag
from streamtoon.cli.toon import toon

NAME: Final = "demo"
HELP: Final = "draw the embedded portrait: a clip and a before/after picture"
FLAGS: Final = (
    *DRAWING,
    *COMMON,
    Flag("output", "folder to write to (default: streamtoon-demo)", short="o", default="streamtoon-demo"),
)


def run(args: argparse.Namespace) -> int:
    """Draw it and say where it is."""
    from streamtoon.workflows import demo

    with toon(args) as drawer, closing(console.FilmProgress()) as progress:
        made = demo.demo(drawer, args.output, args.threads, progress)
        print(f"drawn clip     {made.clip}")
        print(f"before/after   {made.picture}")
        print(f"ran on         {drawer.engine.name}, {drawer.engine.device}, style {drawer.style.name}")
        print(f"speed          {made.fps:.1f} fps ({made.frames} frames of {made.size[0]}x{made.size[1]})")
    return 0
