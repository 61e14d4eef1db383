"""The library: its functions ``draw``, ``convert`` and ``styles``, and what ``streamtoon`` gives beside them."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from foundation.cores import available_cores
from streamtoon import style_folder
from streamtoon.errors import UsageError
from streamtoon.pipeline.toon import Toon
from streamtoon.sources import images
from streamtoon.types import U8, Background, Colour, Face, Frame, OutputFrame, Region, Style
from streamtoon.workflows.convert import Options, Progress, Summary
from streamtoon.workflows.convert import convert as convert_file
from streamtoon.workflows.make_toon import make_toon

__all__ = [
    "Colour",
    "Face",
    "Frame",
    "OutputFrame",
    "Progress",
    "Style",
    "Summary",
    "Toon",
    "convert",
    "draw",
    "make_toon",
    "styles",
]

FilePath = str | os.PathLike[str]


def styles() -> list[str]:
    """The names of the shipped styles, in alphabetical order."""
    return style_folder.names()


def draw(
    picture: FilePath | Image.Image | U8,
    style: str | Style = style_folder.DEFAULT,
    *,
    region: Region | None = None,
    background: Background | U8 | None = None,
    engine: str = "auto",
    threads: int | None = None,
) -> U8:
    """A photo with the people in it drawn: (h, w, 3) uint8 RGB, as large as ``picture`` and upright.

    A file of more than 40 megapixels is reduced to as many.

    picture     a file, a Pillow image, or (h, w, 3) uint8 RGB
    style       a shipped style's name, a style folder's path, or a loaded ``Style``
    region      what is drawn: "frame", "head", "face", or "person" by a style that draws whole pictures; None for the
                style's, or "person" where it would draw the frame before a background that is named
    background  what becomes of the rest: "keep", "paper", "blur", "draw", or a (h, w, 3) uint8 RGB picture to put
                there; None for the style's
    engine      "auto" for the fastest that runs here, or one by name: "openvino", "onnxruntime:cuda", "tensorrt:fp16"
    threads     CPU threads that drawing may use; None for one a core

    A photo without a face comes back unchanged, unless the whole frame is drawn or the background is replaced. Every
    call loads the style's network, about a second; for many pictures make one toon (``streamtoon.make_toon``) and call
    it with each as a ``Frame``.

    Raises UsageError for a picture that is not there or not of that shape and for a style, region, background or
    engine that does not exist, SourceError for a file that is no picture, EngineError where nothing can draw,
    ModelError where a face model cannot be had.
    """
    frame = Frame((_pixels(picture),), "rgb24", 0, Fraction(0), still=True)
    toon = make_toon(style, workload="still", engine=engine, threads=threads, region=region, background=background)
    with toon:
        return toon(frame).planes[0]


def _pixels(picture: FilePath | Image.Image | U8) -> U8:
    if isinstance(picture, Image.Image):
        return images.pixels(picture)
    if isinstance(picture, (str, os.PathLike)):
        if not Path(picture).is_file():
            raise UsageError(f"there is no picture {os.fspath(picture)!r}")
        return images.load(Path(picture))
    array = np.asarray(picture)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or min(array.shape) < 1:
        raise UsageError(f"the picture is {array.dtype} {array.shape}; it must be uint8 (h, w, 3), RGB")
    return np.ascontiguousarray(array)


def convert(
    input: FilePath,  # noqa: A002 - the name of the command's flag
    output: FilePath,
    *,
    style: str | Style = style_folder.DEFAULT,
    region: Region | None = None,
    background: Background | U8 | None = None,
    engine: str = "auto",
    threads: int | None = None,
    private: bool = False,
    compare: bool = False,
    encoder: str | None = None,
    crf: float | None = None,
    preset: str | None = None,
    audio: bool = True,
    overwrite: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Summary:
    """Draw the people in a film, a picture or a folder of pictures; sound, subtitles and times stay as they are.

    input       a film, a picture, a folder of pictures, or "portrait:FRAMES@WIDTHxHEIGHT", the moving portrait
    output      the same kind; a film's frames may go into a folder, and a folder's pictures into a film
    private     no undrawn frame is written: faceless frames show the last drawing for half a second, then a card;
                people before paper where nothing else is asked for
    compare     the input on the left, the drawn picture on the right
    encoder     any video encoder of libavcodec; None for the one that suits the container
    crf         constant rate factor: lower is better and larger; None for the encoder's usual one
    preset      the encoder's speed against size; None for its usual one
    audio       whether sound is kept
    overwrite   whether ``output`` may be there already
    progress    called about four times a second with frames done, their total, frames a second and seconds left;
                what it raises ends the work and is raised here

    style, region, background, engine and threads are those of ``draw``. What is raised is too, and SinkError where the
    output cannot be written; whatever is raised, nothing is left at ``output``. Input that is damaged is converted as
    far as it can be read: ``Summary.damaged`` then says what could not.
    """
    total = available_cores() if threads is None else threads
    options = Options(
        os.fspath(input), os.fspath(output), encoder, crf, preset, audio, overwrite, compare, total, private
    )
    with ExitStack() as toons:

        def make() -> Toon:
            return toons.enter_context(
                make_toon(style, engine=engine, threads=total, region=region, background=background, private=private)
            )

        return convert_file(options, make, progress)
