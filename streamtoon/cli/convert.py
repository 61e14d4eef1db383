"""``streamtoon convert``: a film, a picture or a folder in, the drawn one out."""

from __future__ import annotations

import argparse
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Final

from streamtoon.cli import console
from streamtoon.cli.arguments import COMMON, DRAWING, PLACE, Flag
from streamtoon.cli.toon import toon

if TYPE_CHECKING:
    from streamtoon.pipeline.toon import Toon

NAME: Final = "convert"
HELP: Final = "draw the people in a film, a picture or a folder"
FLAGS: Final = (
    *DRAWING,
    *PLACE,
    *COMMON,
    Flag("input", "a film, a picture, a folder of pictures or portrait:", short="i", required=True),
    Flag("output", "the drawn film, picture or folder", short="o", required=True),
    Flag("private", "no undrawn picture: faceless frames are held, then a card", "switch"),
    Flag("compare", "input on the left, drawn on the right", "switch"),
    Flag("encoder", "video encoder (default: the one that suits the container)"),
    Flag("crf", "quality: lower is better and larger (default: the encoder's usual)", parse=float),
    Flag("preset", "encoder preset (default: the encoder's usual)"),
    Flag("audio", "keep the sound", "yes-no", default=True),
    Flag("overwrite", "replace the output if it exists", "switch"),
)


def run(args: argparse.Namespace) -> int:
    """Convert and say what came of it; 1 where the input was damaged."""
    from PIL import Image

    from streamtoon import style_folder
    from streamtoon.workflows.convert import Options, convert

    Image.MAX_IMAGE_PIXELS = None  # Pillow's limit; sources/images.py has one of its own
    style_folder.load(args.style)  # a wrong style is told before a wrong input
    keys = ("input", "output", "encoder", "crf", "preset", "audio", "overwrite", "compare", "threads", "private")
    options = Options(**{key: getattr(args, key) for key in keys})
    made: list[Toon] = []
    with ExitStack() as stack:

        def make() -> Toon:
            made.append(toon(args, region=args.region, background=args.background, private=args.private))
            stack.callback(made[-1].close)
            return made[-1]

        with closing(console.FilmProgress()) as progress:
            summary = convert(options, make, progress)
    for notice in summary.notices:
        console.tell(f"notice: {notice}")
    print(
        f"{args.output}: {summary.frames} frames, {summary.faces} faces, {summary.faceless} frames without a face, "
        f"{summary.fps:.1f} fps, {made[0].engine.name} on {made[0].engine.device}"
    )
    if args.private:
        print(f"private: {summary.states['held']} frames held, {summary.states['card']} shown as a card, 0 undrawn")
    if summary.damaged:
        console.tell(f"error: {args.input} is damaged: {summary.damaged}; {args.output} holds all that could be read")
        return 1
    return 0
