"""``udp://`` and ``rtmp://`` - a stream that OBS, players and services take: H.264 in MPEG-TS or in FLV.

libav encodes and wraps; wire.py carries the bytes.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from fractions import Fraction
from types import TracebackType
from typing import Any, Final, cast
from urllib.parse import SplitResult, urlsplit

import av
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streamtoon.errors import SinkError, UsageError
from streamtoon.film.encoder import fill
from streamtoon.film.reader import ColourTags
from streamtoon.image.letterbox import CALLS, letterbox
from streamtoon.sinks import Send, check
from streamtoon.sinks.streaming.stream_transport import Datagrams, Relay, Wire
from streamtoon.types import Colour, OutputFrame

SCHEMES: Final = ("udp://", "rtmp://", "rtmps://")
DATAGRAM: Final = 7 * 188  # bytes: as many packets of MPEG-TS as an Ethernet frame holds
BITS: Final = Fraction(1, 6)  # a pixel at most: 4.6 Mbit/s at 1280x720 and 30 pictures a second


class StreamSink:
    """A stream being sent; ``write`` makes one and says what its arguments mean."""

    def __init__(
        self, target: str, size: tuple[int, int], fps: float, *, threads: int, coding: Colour, timeout: float,
        clock: Callable[[], float],
    ) -> None:  # fmt: skip
        self.notices: list[str] = []
        self._url = parse(target)
        self.shown = f"{self._url.scheme}://{self._url.netloc.rpartition('@')[2]}"  # without the stream's key
        self.size = (size[0] + size[0] % 2, size[1] + size[1] % 2)
        if self.size != size:
            self.notices.append(f"a stream needs even sizes: {self.size[0]}x{self.size[1]} px")
        self._fps, self._threads, self._coding = fps, threads, coding
        self._timeout, self._clock = timeout, clock
        self._wire: Wire | None = None
        self._output: OutputContainer | None = None
        self._start: float | None = None
        self._ticks = -1

    def __enter__(self) -> Send:
        udp = self._url.scheme == "udp"
        try:
            wire = self._wire = Datagrams(self._url) if udp else Relay(self._url, self.size, self._timeout, self._clock)
            self._output = self._open(wire, udp=udp)
            wire.ready()
        except BaseException as error:
            self._close()
            if isinstance(error, (FFmpegError, OSError, SinkError, UnicodeError)):
                self._fail(error)
            raise
        self._frame = VideoFrame(*self.size, "yuv420p")
        return self.send

    def _open(self, wire: Wire, *, udp: bool) -> OutputContainer:
        options = {"flush_packets": "1"} if udp else {"flush_packets": "1", "flvflags": "no_duration_filesize"}
        output = av.open(
            cast(Any, wire), "w", format="mpegts" if udp else "flv", container_options=options,
            buffer_size=DATAGRAM if udp else 32768,
        )  # fmt: skip
        self._stream = self._add_stream(output, Fraction(1, 90000 if udp else 1000))
        output.start_encoding()
        return output

    def _add_stream(self, output: OutputContainer, time_base: Fraction) -> VideoStream:
        rate = Fraction(self._fps).limit_denominator(1001)
        bits = round(BITS * self.size[0] * self.size[1] * min(rate, Fraction(60)))
        stream = output.add_stream("libx264", rate=rate)
        ctx = stream.codec_context
        ctx.width, ctx.height = self.size
        ctx.pix_fmt, ctx.time_base, ctx.thread_count = "yuv420p", time_base, self._threads
        tags = ColourTags.of(self._coding)
        ctx.color_range, ctx.colorspace = tags.range, tags.matrix
        ctx.options = {
            "preset": "superfast",  # 5 ms a picture of 1280x720 on one core, 2.5 times as small as ultrafast's 3 ms
            "tune": "zerolatency", "crf": "23", "maxrate": str(bits), "bufsize": str(bits // 2),
            "g": str(max(1, round(rate))),  # who tunes in waits a second at most
        }  # fmt: skip
        return stream

    def send(self, drawn: OutputFrame) -> None:
        """Send ``drawn``, shown from now on. Raises TypeError for anything but a Drawn, SinkError where it fails."""
        check(drawn)
        output = cast(OutputContainer, self._output)
        clock = self._stream.codec_context.time_base
        now = self._clock()
        if self._start is None:
            self._start = now
        self._ticks = max(self._ticks + 1, round((now - self._start) / clock))
        frame, tags = self._frame, ColourTags.of(self._coding)
        frame.make_writable()
        fill(frame, letterbox(drawn, self.size, self._coding))
        frame.pts, frame.time_base = self._ticks, clock
        frame.color_range, frame.colorspace = tags.range, tags.matrix
        try:
            output.mux(self._stream.encode(frame))
        except (FFmpegError, OSError, SinkError) as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        why = getattr(error, "strerror", None) or error
        raise SinkError(f"cannot stream to {self.shown}: {why}; check the address and that it is up") from None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        # at the end nobody is helped by hearing that the last bytes were not taken
        with contextlib.suppress(FFmpegError, OSError, SinkError):
            if self._output is not None:
                self._output.close()
        if self._wire is not None:
            self._wire.close()


def parse(target: str) -> SplitResult:
    """The parts of a stream's address. Raises UsageError where one is missing."""
    try:
        url = urlsplit(target)
        port = url.port
    except ValueError:
        port, url = None, urlsplit("")
    if target.split() != [target]:
        url = urlsplit("")
    if url.scheme == "udp" and url.hostname and port and not url.path.strip("/") and not url.query:
        return url
    if url.scheme in ("rtmp", "rtmps") and url.hostname and url.path.strip("/"):
        return url
    raise UsageError(f"cannot stream to {target!r}: write udp://127.0.0.1:5000 or rtmp://SERVER/APPLICATION/KEY")


def write(
    target: str,
    *,
    size: tuple[int, int],
    fps: float,
    threads: int = 1,
    coding: Colour = CALLS,
    timeout: float = 5.0,
    clock: Callable[[], float] = time.monotonic,
) -> StreamSink:
    """A sink that streams. A picture's time is ``clock`` when it is sent, so a late one is late, not all that follow.

    target   udp://HOST:PORT, rtmp://SERVER/APPLICATION/KEY or rtmps://...
    size     width and height in px; an odd one is made even
    fps      pictures a second that will be sent, about
    threads  that the encoder may use
    coding   of the stream's colours; pictures in others are brought to it
    timeout  seconds a server may take to answer, or take nothing

    Raises UsageError for a target that is no such address; entering and sending raise SinkError.
    """
    return StreamSink(target, size, fps, threads=threads, coding=coding, timeout=timeout, clock=clock)
