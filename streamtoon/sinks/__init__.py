"""Where pictures go: ``open(target)`` for what is made of a source, ``open_live(target)`` for a call.

A module here is a kind of sink, as is a module that another install announces as an entry point of the group
``streamtoon.sinks``. It takes the targets that begin with its name and a colon, or those of which its own
``takes(target) -> bool`` is true, and has at least one of

    open(target, options: Options) -> contracts.Sink             every picture in order, as fast as they come
    open_live(target, options: LiveOptions) -> contracts.Sink    the newest picture, now
    open_preview(target) -> contracts.Preview                    shown by the thread that runs the call

A sink takes nothing but an OutputFrame, because only the guard makes one; anything else is a TypeError
(``contracts.check_output``). One that makes a file writes to a temporary name beside the target and renames when the
``with`` block ends well; otherwise it leaves nothing behind.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from streamtoon.contracts import Preview, Sink, Source
from streamtoon.film.encoder import Encoding
from streamtoon.kinds import Kinds

KINDS: Final = Kinds("streamtoon.sinks", otherwise="film")
PREVIEW: Final = "window:"  # the preview where nobody names one


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked of a sink that is made of a source; a kind takes what concerns it.

    like       the source: its clock, tags, tracks, file names and colour profiles are kept; None for no source
    encoding   of a film's pictures: encoder, quality and threads
    alone      only the pictures: none of the source's tracks, chapters and tags
    audio      whether the source's sound is kept
    covers     whether its cover pictures are kept, which nobody draws
    overwrite  whether ``target`` may be there already
    rate       pictures a second of a film, where ``like`` does not say
    """

    like: Source | None = None
    encoding: Encoding = field(default_factory=Encoding)
    alone: bool = False
    audio: bool = True
    covers: bool = True
    overwrite: bool = False
    rate: Fraction = Fraction(25)


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """What a call asks of a sink; a kind takes what concerns it.

    size     width and height in px of what leaves
    fps      pictures a second that will be sent, about
    threads  that an encoder may use
    clock    seconds that never go back: a picture's time is what it shows when the picture is sent
    """

    size: tuple[int, int]
    fps: float
    threads: int = 1
    clock: Callable[[], float] = time.monotonic


def open(target: str, options: Options | None = None) -> Sink:  # noqa: A001 - as in ``av.open``
    """A sink for ``memory:``, a picture, a folder of pictures, a film, or what another install takes.

    Raises UsageError where ``target`` cannot be written: no such folder, unknown container, unknown encoder.
    """
    sink: Sink = KINDS.find(target, "open").open(target, options or Options())
    return sink


def open_live(target: str, options: LiveOptions) -> Sink:
    """A sink for a call: ``virtualcam:``, a stream's address, a recording's name, or what another install takes.

    Raises UsageError and SinkError where ``target`` cannot be written.
    """
    sink: Sink = KINDS.find(target, "open_live").open_live(target, options)
    return sink


def is_preview(target: str) -> bool:
    """Whether ``target`` is for ``open_preview``."""
    return hasattr(KINDS.find(target, "open_preview", "open_live"), "open_preview")


def open_preview(target: str = PREVIEW) -> Preview:
    """A preview, to be used in this thread alone. Raises SinkError where there is no screen."""
    preview: Preview = KINDS.find(target, "open_preview").open_preview(target)
    return preview
