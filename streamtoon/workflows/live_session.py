"""One live session: source, sinks, preview and keys around ``live.Live``."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from streamtoon import sinks, sources, style_folder
from streamtoon.contracts import Preview, Sink
from streamtoon.pipeline.timings import Meter
from streamtoon.pipeline.toon import Toon
from streamtoon.privacy.output_gate import OutputGate, blank_frame
from streamtoon.types import U8, Colour, Frame
from streamtoon.workflows.live import Live

log = logging.getLogger(__name__)

PREVIEW: Final = 1 / 30  # seconds between two looks at the preview
CODING: Final = Colour("bt709")


@dataclass(frozen=True, slots=True)
class Options:
    """What runs.

    source   webcam:..., portrait:, a film, or an address; a film plays at its own rate
    sinks    virtualcam:..., udp://..., rtmp://..., a film's name
    size     width and height of what leaves, px; None for the source's
    fps      pictures a second
    mirror   whether the preview is mirrored; what leaves never is
    preview  whether there is a window
    """

    source: str
    sinks: list[str]
    size: tuple[int, int] | None
    fps: float
    mirror: bool
    preview: bool
    threads: int


def session(options: Options, style: str, make_toon: Callable[[str, Meter], Toon]) -> Live:
    """Run until the source ends or the user quits; the loop that ran. ``make_toon`` gets a style and the meter.

    Raises UsageError, SourceError, SinkError and EngineError.
    """
    stop = threading.Event()
    meter = Meter()
    with ExitStack() as stack:
        frames, size = _source(options, stop, stack)
        blank = blank_frame(options.size or size, CODING)
        opened = [_sink(target, options, blank) for target in options.sinks if not sinks.is_preview(target)]
        for notice in (line for sink in opened for line in getattr(sink, "notices", [])):
            log.info("notice: %s", notice)
        window = _preview(options)
        toon = make_toon(style, meter)
        safe = OutputGate(blank, toon.style.paper)
        live = Live(frames, toon, safe, opened, fps=options.fps, threads=options.threads, meter=meter)
        failed: list[BaseException] = []
        # an event: a join that a signal interrupts takes the thread for ended (CPython 3.11 and 3.12, bpo-45274)
        ended = threading.Event()

        def run() -> None:
            try:
                live.run()
            except BaseException as error:  # noqa: BLE001 - raised again below
                failed.append(error)
            finally:
                ended.set()

        threading.Thread(target=run, name="live", daemon=True).start()
        try:
            _watch(
                options,
                live,
                safe,
                window,
                ended=ended,
                style=style,
                make_toon=lambda n: make_toon(n, meter),
            )
        finally:
            stop.set()
            live.stop()
            ended.wait(10)
            if window is not None:
                window.close()
        if failed:
            raise failed[0]
        return live


def _source(options: Options, stop: threading.Event, stack: ExitStack) -> tuple[Iterator[Frame], tuple[int, int]]:
    """Frames, and the size of the first."""
    asked = sources.LiveOptions(options.size, options.fps, options.threads, stop)
    source = stack.enter_context(sources.open_live(options.source, asked))
    return source.frames(), source.size


def _sink(target: str, options: Options, blank: Frame) -> Sink:
    """An opened sink for one target of --sink."""
    return sinks.open_live(target, sinks.LiveOptions((blank.width, blank.height), options.fps))


def _preview(options: Options) -> Preview | None:
    """What shows the call here, and gives the keys: the one that is named, or the usual one where it is wanted."""
    named = next((target for target in options.sinks if sinks.is_preview(target)), None)
    if named is None and not options.preview:
        return None
    return sinks.open_preview(named or sinks.PREVIEW)


def _watch(
    options: Options,
    live: Live,
    safe: OutputGate,
    window: Preview | None,
    *,
    ended: threading.Event,
    style: str,
    make_toon: Callable[[str], Toon],
) -> None:
    """Show the preview and answer its keys until the loop ends."""
    names, mirror, seen = style_folder.names(), options.mirror, 0
    while not ended.is_set():
        if window is None:
            ended.wait(0.2)
            continue
        seen, drawn = safe.take(seen, PREVIEW)
        lines = [f"{live.rate():.1f} fps", f"{1000 * live.latency():.0f} ms", f"{live.dropped} dropped", live.engine]
        window.show(drawn, lines, drawn.state != "passthrough", mirror=mirror)
        key = window.key()
        live.passthrough = key == "passthrough-held"
        if key == "quit":
            return
        if key == "mirror":
            mirror = not mirror
        elif key == "card":
            safe.paused = not safe.paused
        elif key == "next":
            place = names.index(style) if style in names else -1
            style = names[(place + 1) % len(names)]
            log.info("style %s", style)
            live.switch(make_toon(style))


def picture(path: str) -> U8:
    """(h, w, 3) uint8 RGB of a background picture. Raises UsageError where there is none."""
    from streamtoon.errors import UsageError

    data = cv2.imread(str(Path(path)), cv2.IMREAD_COLOR) if Path(path).is_file() else None
    if data is None:
        raise UsageError(f"--background {path!r} is no picture; give keep, paper, blur, draw, #RRGGBB or a picture")
    return np.asarray(cv2.cvtColor(data, cv2.COLOR_BGR2RGB), np.uint8)
