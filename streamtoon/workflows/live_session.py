"""One live session: source, sinks, preview and keys around ``live.Live``."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from streamtoon import sources, style_folder
from streamtoon.errors import SourceError
from streamtoon.pipeline.timings import Meter
from streamtoon.pipeline.toon import Toon
from streamtoon.privacy.output_gate import OutputGate, blank_frame
from streamtoon.sources.pacing import play_in_real_time
from streamtoon.types import U8, Colour, Frame
from streamtoon.workflows.live import Live, Send

log = logging.getLogger(__name__)

CAMERA: Final = "webcam:"
WINDOW: Final = "window:"
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
        frames, size = _source(options, stop, log.info, stack)
        blank = blank_frame(options.size or size, CODING)
        opened = [_sink(target, options, blank) for target in options.sinks if target != WINDOW]
        for notice in (line for sink in opened for line in getattr(sink, "notices", [])):
            log.info("notice: %s", notice)
        window = _window() if options.preview or WINDOW in options.sinks else None
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


def _source(
    options: Options, stop: threading.Event, say: Callable[[str], None], stack: ExitStack
) -> tuple[Iterator[Frame], tuple[int, int]]:
    """Frames, and the size of the first."""
    if options.source.startswith(CAMERA):
        from streamtoon.sources import webcam

        camera = webcam.open(options.source, size=options.size or (1280, 720), fps=options.fps, stop=stop, say=say)
        stack.callback(camera.close)
        say(f"{camera.camera.name}: {camera.size[0]}x{camera.size[1]} at {camera.fps:g} fps")
        return camera.frames(), camera.size
    if "://" in options.source:
        from streamtoon.sources import network

        called = network.open(options.source, threads=options.threads, stop=stop, say=say)
        stack.enter_context(called)
        return play_in_real_time(called.frames(), stop) if called.is_film else called.frames(), called.size
    source = stack.enter_context(sources.open(options.source, options.threads))
    read = source.frames()
    first = next(read, None)
    if first is None:
        raise SourceError(f"cannot read {options.source}: it holds no picture; give another source")

    def all_of_them() -> Iterator[Frame]:
        yield first
        yield from read

    return play_in_real_time(all_of_them(), stop), (first.width, first.height)


def _sink(target: str, options: Options, blank: Frame) -> AbstractContextManager[Send]:
    """An opened sink for one target of --sink."""
    fixed: dict[str, Any] = {"size": (blank.width, blank.height), "fps": options.fps}
    if target.startswith("virtualcam:"):
        from streamtoon.sinks import virtualcam

        return virtualcam.write(target, **fixed)
    if "://" in target:
        from streamtoon.sinks import stream

        return stream.write(target, threads=1, **fixed)
    from streamtoon.sinks import record

    return record.write(target, threads=1, **fixed)


def _window() -> Any:
    from streamtoon.sinks.window import Window

    return Window("streamtoon")


def _watch(
    options: Options,
    live: Live,
    safe: OutputGate,
    window: Any,
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
