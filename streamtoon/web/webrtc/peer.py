"""One person live: the browser's camera through WebRTC into ``live.Live`` and a private toon, drawings back."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from streamtoon.errors import UsageError
from streamtoon.image.letterbox import CALLS
from streamtoon.pipeline.timings import Meter
from streamtoon.pipeline.toon import Toon
from streamtoon.privacy.output_gate import OutputGate, blank_frame
from streamtoon.web.messages import without_paths
from streamtoon.web.sessions.sessions import LIVE_IDLE_S
from streamtoon.web.webrtc.media import Incoming, MediaLoop, Outgoing
from streamtoon.workflows.live import Live

MAX_FPS: Final = 30.0  # that are sent
STATUS_INTERVAL_S: Final = 0.5  # between two messages to the page about state and speed
MAX_OFFER_CHARACTERS: Final = 100_000
SIDE_RANGE_PX: Final = (64, 1280)  # px, of what is sent back
ENDED_STATES: Final = ("failed", "closed")


class Peer:
    """A running connection. ``answer`` starts it; ``close`` ends it and frees everything; ``ended`` is called once."""

    def __init__(
        self, media: MediaLoop, ice: tuple[str, ...], size: tuple[int, int], ended: Callable[[], None]
    ) -> None:
        self._media, self._ended = media, ended
        self._size = (_side(size[0]), _side(size[1]))
        self._servers = [RTCIceServer(urls=address) for address in ice]
        self._connection: RTCPeerConnection | None = None
        self._incoming = Incoming()
        self._closed = threading.Event()
        self._tasks: set[asyncio.Future[None]] = set()  # of the loop
        self._thread: threading.Thread | None = None
        self._live: Live | None = None
        self._fault = ""
        self._came = time.monotonic()  # when the camera's newest picture did

    def answer(self, offer: str, make_toon: Callable[[Meter], Toon]) -> str:
        """The SDP answer to a browser's offer; what leaves from now on is the card, then drawings.

        Raises UsageError for an offer that is none, and whatever ``make_toon`` raises.
        """
        if not 0 < len(offer) <= MAX_OFFER_CHARACTERS:
            raise UsageError("the browser's offer is no offer; reload the page and start again")
        meter = Meter()
        outgoing = self._media.run(_made(self._media, self._size))
        toon = make_toon(meter)
        safe = OutputGate(blank_frame(self._size, CALLS), toon.style.paper)
        live = Live(self._incoming, toon, safe, [outgoing], fps=MAX_FPS, meter=meter, on_fault=self._note_fault)
        self._live = live
        try:
            sdp = self._media.run(self._connect(offer, outgoing))
        except Exception:  # noqa: BLE001 - aiortc raises whatever its parser stumbles over
            toon.close()
            self.close()
            raise UsageError("the browser's offer cannot be understood; reload the page and start again") from None
        self._thread = threading.Thread(target=self._run, args=(live,), name="live", daemon=True)
        self._thread.start()
        return sdp

    def switch(self, toon: Toon) -> None:
        """Draw with another toon from the next picture on."""
        if self._live is None or self._closed.is_set():
            toon.close()
        else:
            self._live.switch(toon)

    @property
    def idle(self) -> bool:
        """Whether no picture has come for so long that its place may go to somebody else."""
        return time.monotonic() - self._came > LIVE_IDLE_S

    @property
    def meter(self) -> Meter | None:
        """The running loop's meter."""
        return None if self._live is None else self._live.meter

    def close(self) -> None:
        """End it and free everything; may be called from any thread but the loop's, and again."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._incoming.put(None)
        if self._live is not None:
            self._live.stop()
        if self._connection is not None:
            self._media.run(self._disconnect(self._connection))
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=10)

    def _note_fault(self, text: str) -> None:
        self._fault = without_paths(text)

    def _run(self, live: Live) -> None:
        try:
            live.run()
        finally:
            self.close()
            self._ended()

    async def _connect(self, offer: str, outgoing: Outgoing) -> str:
        connection = self._connection = RTCPeerConnection(RTCConfiguration(iceServers=self._servers))
        tasks = self._tasks

        @connection.on("track")
        def on_track(track: Any) -> None:
            if track.kind == "video" and not tasks:
                tasks.add(asyncio.ensure_future(self._pump(track)))

        @connection.on("datachannel")
        def on_channel(channel: Any) -> None:
            tasks.add(asyncio.ensure_future(self._tell(channel, outgoing)))

        @connection.on("connectionstatechange")
        def on_change() -> None:
            if connection.connectionState in ENDED_STATES:
                threading.Thread(target=self.close, daemon=True).start()  # it waits for this loop

        await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        connection.addTrack(outgoing)
        await connection.setLocalDescription(await connection.createAnswer())
        return str(connection.localDescription.sdp)

    async def _disconnect(self, connection: RTCPeerConnection) -> None:
        for task in self._tasks:
            task.cancel()
        await connection.close()

    async def _pump(self, track: Any) -> None:
        """Camera pictures into the flow, as fast as they come."""
        try:
            while not self._closed.is_set():
                self._incoming.put(await track.recv())
                self._came = time.monotonic()
        except MediaStreamError:
            self._incoming.put(None)

    async def _tell(self, channel: Any, outgoing: Outgoing) -> None:
        """Tell the page how it goes."""
        live = self._live
        while live is not None and channel.readyState == "open" and not self._closed.is_set():
            words = {
                "state": outgoing.state,
                "fps": round(live.rate(), 1),
                "latency": round(1000 * live.latency()),
                "dropped": live.dropped,
                "engine": live.engine,
                "fault": self._fault,
            }
            channel.send(json.dumps(words))
            await asyncio.sleep(STATUS_INTERVAL_S)


async def _made(media: MediaLoop, size: tuple[int, int]) -> Outgoing:
    return Outgoing(media, size)


def _side(length: int) -> int:
    return min(max(length, SIDE_RANGE_PX[0]), SIDE_RANGE_PX[1]) // 2 * 2
