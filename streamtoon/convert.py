"""convert: a film or pictures in, drawn ones out; nothing else of it changes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from streamtoon import sinks
from streamtoon.flow import every
from streamtoon.guard import Guard
from streamtoon.sinks.encoder import Encoding
from streamtoon.sources import video
from streamtoon.types import Drawn, Frame

Toon = Callable[[Frame], Drawn]


@dataclass(frozen=True, slots=True)
class Options:
    """What to convert and how.

    input      a film, a picture or a folder of pictures
    output     the same kind; a folder takes a film's frames as pictures
    encoder    any encoder libavcodec has; None takes the one that suits the container
    crf        constant rate factor; None for the encoder's usual one
    preset     the encoder's speed against size; None for its usual one
    audio      whether sound is kept
    overwrite  whether ``output`` may be there already
    compare    the input on the left, the drawn picture on the right
    threads    how many threads decoder and encoder may use each
    """

    input: str
    output: str
    encoder: str | None = None
    crf: float | None = None
    preset: str | None = None
    audio: bool = True
    overwrite: bool = False
    compare: bool = False
    threads: int = 2


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is: frames done, of how many (None where nobody knows), frames a second, seconds left."""

    frames: int
    total: int | None
    fps: float
    seconds_left: float | None


@dataclass(slots=True)
class Summary:
    """What was done.

    frames    written
    faces     drawn, summed over the frames
    states    how many frames were drawn, held, a card or passed through
    faceless  frames without a face
    fps       frames a second, over all
    seconds   it took
    notices   what was changed on the way, one line each
    damaged   what could not be read of the input, None where all could
    """

    frames: int = 0
    faces: int = 0
    states: Counter[str] = field(default_factory=Counter)
    faceless: int = 0
    fps: float = 0.0
    seconds: float = 0.0
    notices: list[str] = field(default_factory=list)
    damaged: str | None = None

    def count(self, drawn: Drawn) -> None:
        """Count one written frame."""
        self.frames += 1
        self.faces += drawn.faces
        self.states[drawn.state] += 1
        self.faceless += drawn.faces == 0


def convert(
    options: Options, make_toon: Callable[[], Toon], progress: Callable[[Progress], None] | None = None
) -> Summary:
    """Read, draw and write; ``make_toon`` is called once input and output are known to be good.

    Raises UsageError, SourceError and SinkError; then nothing is left at ``options.output``.
    """
    encoding = Encoding(options.encoder, options.crf, options.preset, options.threads)
    with video.open(options.input, threads=options.threads) as film:
        sink = sinks.write(options.output, film, encoding=encoding, audio=options.audio, overwrite=options.overwrite)
        toon = make_toon()
        summary = Summary()
        began = told = time.perf_counter()
        with sink as send, closing(every(film.frames(), beside(toon) if options.compare else toon)) as drawn_frames:
            for drawn in drawn_frames:
                send(drawn)
                summary.count(drawn)
                now = time.perf_counter()
                if progress and now - told > 0.25:
                    told = now
                    fps = summary.frames / (now - began)
                    left = max(0, film.count - summary.frames) / fps if film.count else None
                    progress(Progress(summary.frames, film.count, fps, left))
        summary.seconds = time.perf_counter() - began
        summary.fps = summary.frames / summary.seconds
        summary.notices = film.notices + sink.notices
        summary.damaged = film.damage
    return summary


def beside(toon: Toon) -> Toon:
    """A toon whose pictures show the frame on the left and what ``toon`` makes of it on the right."""
    show = Guard(private=False)

    def draw(frame: Frame) -> Drawn:
        drawn = toon(frame)
        planes = tuple(np.hstack(pair) for pair in zip(frame.planes, drawn.planes, strict=True))
        wide = Frame(planes, frame.layout, frame.index, frame.seconds, frame.colour)
        return show(wide, planes if drawn.state == "drawn" else None, drawn.faces)

    return draw
