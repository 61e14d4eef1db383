"""convert: a film or pictures in, drawn ones out; nothing else of it changes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from streamtoon import sinks, sources
from streamtoon.contracts import Sink, Source
from streamtoon.errors import UsageError
from streamtoon.film import reader
from streamtoon.film import writer as video_sink
from streamtoon.film.encoder import Encoding
from streamtoon.pipeline.timings import Meter
from streamtoon.privacy.guard import Guard
from streamtoon.types import U8, Frame, OutputFrame
from streamtoon.workflows.threads import every

DrawFrame = Callable[[Frame], OutputFrame]  # a ``pipeline.toon.Toon``, or any function that does as much

PROGRESS_INTERVAL_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class Options:
    """What to convert and how.

    input      a film, a picture, a folder of pictures or ``portrait:``
    output     the same kind; a film's frames may go into a folder, and a folder's pictures into a film
    encoder    any encoder libavcodec has; None takes the one that suits the container
    crf        constant rate factor; None for the encoder's usual one
    preset     the encoder's speed against size; None for its usual one
    audio      whether sound is kept
    overwrite  whether ``output`` may be there already
    compare    the input on the left, the drawn picture on the right
    threads    how many threads decoder and encoder may use each
    private    nothing undrawn may leave: no cover pictures, no comparison (the toon has to be private itself)
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
    private: bool = False


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
    fps       frames a second
    seconds   it took to read, draw and write them
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

    def count(self, drawn: OutputFrame) -> None:
        """Count one written frame."""
        self.frames += 1
        self.faces += drawn.faces
        self.states[drawn.state] += 1
        self.faceless += drawn.faces == 0


def convert(
    options: Options,
    make_toon: Callable[[], DrawFrame],
    progress: Callable[[Progress], None] | None = None,
    meter: Meter | None = None,
) -> Summary:
    """Read, draw and write; ``make_toon`` is called once input and output are known to be good.

    A toon with ``stages`` has a thread for each. ``meter`` gets the rows read and write. A film
    with several video tracks has each of them drawn, by a toon of its own: none is kept undrawn and none is lost.
    Raises UsageError, SourceError and SinkError; then nothing is left at ``options.output``.
    """
    summary = Summary()
    if options.private and options.compare:
        raise UsageError("a comparison shows the people as they are: ask for it or for privacy, not for both")
    loop = _Loop(options, summary, progress, meter or Meter())
    with ExitStack() as stack:
        source = stack.enter_context(sources.open(options.input, options.threads))
        sink = _sink(options, source)
        if isinstance(source, reader.Film) and isinstance(sink, video_sink.VideoSink):
            for index in source.others:
                part = Path(options.output).with_name(f".{index}.{Path(options.output).name}")
                stack.callback(part.unlink, missing_ok=True)
                with reader.open(source.path, index, options.threads) as film:
                    loop.run(
                        film,
                        video_sink.write(str(part), film, encoding=_encoding(options), alone=True, overwrite=True),
                        make_toon(),
                    )
                sink.also[index] = part
            if source.others:
                summary.notices.append(f"the film has {len(source.others) + 1} video tracks: each is drawn")
        loop.run(source, sink, make_toon())
    summary.fps = summary.frames / summary.seconds
    summary.notices = list(dict.fromkeys(summary.notices))
    return summary


def _encoding(options: Options) -> Encoding:
    return Encoding(options.encoder, options.crf, options.preset, options.threads)


def _sink(options: Options, source: Source) -> Sink:
    """The sink for a source. Raises UsageError where the two do not go together."""
    return sinks.open(
        options.output,
        sinks.Options(
            source,
            encoding=_encoding(options),
            audio=options.audio,
            covers=not options.private,
            overwrite=options.overwrite,
        ),
    )


@dataclass(frozen=True, slots=True)
class _Loop:
    """From a source through a toon into a sink, counted and told of."""

    options: Options
    summary: Summary
    progress: Callable[[Progress], None] | None
    meter: Meter

    def run(self, source: Source, sink: Sink, toon: DrawFrame) -> None:
        stages = _stages(toon)
        if self.options.compare:
            stages = _beside(stages)
        began = told = time.perf_counter()
        done = 0
        with sink as send, closing(every(self._read(source), *stages)) as pictures:
            for drawn in pictures:
                with self.meter("write"):
                    send(drawn)
                self.summary.count(drawn)
                done += 1
                now = time.perf_counter()
                if self.progress and now - told >= PROGRESS_INTERVAL_S:
                    told = now
                    fps = done / (now - began)
                    left = max(0, source.count - done) / fps if source.count else None
                    self.progress(Progress(done, source.count, fps, left))
        self.summary.seconds += time.perf_counter() - began
        self.summary.notices += [*source.notices, *sink.notices]
        self.summary.damaged = self.summary.damaged or source.damage

    def _read(self, source: Source) -> Iterator[Frame]:
        frames = source.frames()
        while True:
            with self.meter("read"):
                frame = next(frames, None)
            if frame is None:
                return
            yield frame


def _stages(toon: DrawFrame) -> tuple[Callable[[Any], Any], ...]:
    """The toon's own stages, where it has them."""
    stages: tuple[Callable[[Any], Any], ...] = getattr(toon, "stages", (toon,))
    return stages


def _beside(stages: tuple[Callable[[Any], Any], ...]) -> tuple[Callable[[Any], Any], ...]:
    """Stages whose pictures show the frame on the left and what ``stages`` make of it on the right."""
    show = Guard(private=False)
    first, *rest = stages

    def join(pair: tuple[Frame, OutputFrame]) -> OutputFrame:
        frame, drawn = pair
        planes = beside(frame.planes, drawn.planes)
        return show(replace(frame, planes=planes), None if drawn.state == "passthrough" else planes, drawn.faces)

    return (
        lambda frame: (frame, first(frame)),
        *[partial(_second, stage) for stage in rest],
        join,
    )


def _second(stage: Callable[[Any], Any], pair: tuple[Frame, Any]) -> tuple[Frame, Any]:
    return pair[0], stage(pair[1])


def beside(left: tuple[U8, ...], right: tuple[U8, ...]) -> tuple[U8, ...]:
    """Planes of two pictures of one size, side by side; in yuv420p the left one is brought to an even width."""
    odd = len(left) > 1 and left[0].shape[1] % 2
    left = (np.hstack([left[0], left[0][:, -1:]]), *left[1:]) if odd else left
    return tuple(np.hstack(pair) for pair in zip(left, right, strict=True))
