"""The loop all WebRTC connections run in, and how pictures get in and out of them.

aiortc works in asyncio; the page's own server has a loop of its own, and neither must wait for the other's work.
"""

from __future__ import annotations

import asyncio
import contextlib
import fractions
import queue
import threading
import time
from collections.abc import Coroutine, Iterator
from types import ModuleType, TracebackType
from typing import Any, Final, Self, TypeVar

import aioice.ice
import numpy as np
from aiortc import MediaStreamTrack
from aiortc.codecs import vpx
from av import VideoFrame

from streamtoon.contracts import Send, check_output
from streamtoon.film.frames import samples
from streamtoon.image.letterbox import CALLS, letterbox
from streamtoon.types import Frame, OutputFrame

RTP_CLOCK_HZ: Final = 90_000  # of RTP for video
MAX_BITRATE_BPS: Final = 2_500_000  # at aiortc's own 500,000 the strokes of a drawing fall apart
START_BITRATE_BPS: Final = 1_500_000
LOOP_TIMEOUT_S: Final = 20.0  # to wait for what is asked of the loop

T = TypeVar("T")


class MediaLoop:
    """An asyncio loop in a thread of its own. Use as a context manager.

    local: only this machine can reach the server, so media are offered on loopback and nowhere else.
    aiortc takes this and the bitrates from module variables alone; they are as before when the loop has ended.
    """

    def __init__(self, *, local: bool) -> None:
        self._variables = contextlib.ExitStack()
        self._variables.enter_context(_replaced(vpx, MAX_BITRATE=MAX_BITRATE_BPS, DEFAULT_BITRATE=START_BITRATE_BPS))
        if local:
            self._variables.enter_context(_replaced(aioice.ice, get_host_addresses=_loopback_alone))
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="media", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run ``work`` in the loop and give what it gives; for other threads."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(LOOP_TIMEOUT_S)

    def soon(self, call: Any, *args: Any) -> None:
        """Call something in the loop, without waiting for it."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(call, *args)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(TimeoutError):
            self.run(_cancelled())
        self.soon(self.loop.stop)
        self._thread.join(timeout=5)
        self._variables.close()


@contextlib.contextmanager
def _replaced(module: ModuleType, **values: Any) -> Iterator[None]:
    """Within: variables of a module have other values."""
    before = {name: getattr(module, name) for name in values}
    for name, value in values.items():
        setattr(module, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(module, name, value)


def _loopback_alone(use_ipv4: bool, use_ipv6: bool) -> list[str]:  # noqa: FBT001 - as aioice calls it
    return ["127.0.0.1"] if use_ipv4 or use_ipv6 else []


async def _cancelled() -> None:
    """Cancel what is left in this loop: connections that never came about wait for ever."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Incoming(Iterator[Frame]):
    """The camera's pictures as frames: ``put`` in the loop, ``next`` in live's reading thread."""

    def __init__(self) -> None:
        self._pictures: queue.SimpleQueue[VideoFrame | None] = queue.SimpleQueue()
        self._index = 0

    def put(self, picture: VideoFrame | None) -> None:
        """A decoded picture; None where there will be no more."""
        self._pictures.put(picture)

    def __next__(self) -> Frame:
        picture = self._pictures.get()
        if picture is None:
            self._pictures.put(None)
            raise StopIteration
        index, self._index = self._index, self._index + 1
        return frame_of(picture, index)


def frame_of(picture: VideoFrame, index: int) -> Frame:
    """A decoded picture as it lies in the decoder's memory. Browsers send BT.601."""
    if picture.format.name != "yuv420p":
        picture = picture.reformat(format="yuv420p")
    planes = []
    for plane in picture.planes[:3]:
        view = samples(plane)[:, : plane.width]
        view.flags.writeable = False  # the decoder still predicts from them
        planes.append(view)
    seconds = fractions.Fraction(picture.pts or 0) * fractions.Fraction(
        picture.time_base or fractions.Fraction(1, RTP_CLOCK_HZ)
    )
    return Frame(tuple(planes), "yuv420p", index, seconds, CALLS)


class Outgoing(MediaStreamTrack):
    """What goes back to the browser: a sink, and the track that aiortc encodes from. Newest wins."""

    kind = "video"

    def __init__(self, media: MediaLoop, size: tuple[int, int]) -> None:
        super().__init__()
        self._media, self._size = media, size
        self._newest: OutputFrame | None = None
        self._fresh = asyncio.Event()
        self._began = time.monotonic()
        self.state = "card"  # of the picture sent last

    def __enter__(self) -> Send:
        return self.send

    def send(self, drawn: OutputFrame) -> None:
        """Send ``drawn``. Raises TypeError for anything but an OutputFrame."""
        check_output(drawn)
        self.state = drawn.state
        self._media.soon(self._put, drawn)

    def _put(self, drawn: OutputFrame) -> None:
        self._newest = drawn
        self._fresh.set()

    async def recv(self) -> VideoFrame:
        """The next picture; aiortc asks for it."""
        await self._fresh.wait()
        self._fresh.clear()
        drawn = self._newest
        check_output(drawn)  # type: ignore[arg-type]
        picture = VideoFrame(*self._size, "yuv420p")
        for plane, drawn_plane in zip(picture.planes, letterbox(drawn, self._size, CALLS), strict=True):  # type: ignore[arg-type]
            np.copyto(samples(plane)[:, : plane.width], drawn_plane)
        picture.pts = round((time.monotonic() - self._began) * RTP_CLOCK_HZ)
        picture.time_base = fractions.Fraction(1, RTP_CLOCK_HZ)
        return picture

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._media.soon(self.stop)
