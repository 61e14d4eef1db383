"""One live session: source, sinks and preview around ``live.Live``."""

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

from streamtoon import sinks, sources
from streamtoon.contracts import Preview, Sink
from streamtoon.errors import UsageError
from streamtoon.pipeline.timings import Meter
from streamtoon.pipeline.toon import Toon
from streamtoon.privacy.output_gate import OutputGate, blank_frame
from streamtoon.types import U8, Colour, Frame
from streamtoon.workflows.live import Live
from streamtoon.workflows.live_preview import LivePreview

log = logging.getLogger(__name__)

SIGNAL_INTERVAL_S: Final = 0.2  # how often the main thread wakes, so that a signal is heard
ENDING_TIMEOUT_S: Final = 10.0  # a camera may be stuck in its driver: then its thread ends with the process
CARD_COLOUR: Final = Colour("bt709")


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
        blank = blank_frame(options.size or size, CARD_COLOUR)
        opened = [_sink(target, options, blank) for target in options.sinks if not sinks.is_preview(target)]
        for notice in (line for sink in opened for line in getattr(sink, "notices", [])):
            log.info("notice: %s", notice)
        window = _preview(options)
        toon = make_toon(style, meter)
        gate = OutputGate(blank, toon.style.paper)
        live = Live(frames, toon, gate, opened, fps=options.fps, threads=options.threads, meter=meter)
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
            if window is None:
                while not ended.wait(SIGNAL_INTERVAL_S):
                    pass
            else:
                preview = LivePreview(
                    window, live, gate, style, lambda name: make_toon(name, meter), mirror=options.mirror
                )
                preview.run(ended)
        finally:
            stop.set()
            live.stop()
            ended.wait(ENDING_TIMEOUT_S)
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


def picture(path: str) -> U8:
    """(h, w, 3) uint8 RGB of a background picture. Raises UsageError where there is none."""
    data = cv2.imread(str(Path(path)), cv2.IMREAD_COLOR) if Path(path).is_file() else None
    if data is None:
        raise UsageError(f"--background {path!r} is no picture; give keep, paper, blur, draw, #RRGGBB or a picture")
    return np.asarray(cv2.cvtColor(data, cv2.COLOR_BGR2RGB), np.uint8)
