"""``udp://`` and ``rtmp://`` - a stream that OBS, players and services take: H.264 in MPEG-TS or in FLV.

libav encodes and wraps; ``streaming.stream_transport`` carries the bytes.
"""

from __future__ import annotations

import contextlib
from fractions import Fraction
from types import TracebackType
from typing import Any, Final, cast
from urllib.parse import SplitResult, urlsplit

import av
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streamtoon.contracts import Send, check_output
from streamtoon.errors import SinkError, UsageError
from streamtoon.film.encoder import fill
from streamtoon.film.frames import ColourTags
from streamtoon.image.letterbox import CALLS, letterbox
from streamtoon.sinks import LiveOptions
from streamtoon.sinks.streaming.stream_transport import Datagrams, RtmpProcess, Transport
from streamtoon.types import Colour, OutputFrame

DATAGRAM_BYTES: Final = 7 * 188  # as many packets of MPEG-TS as an Ethernet frame holds
MAX_BITS_PER_PIXEL: Final = Fraction(1, 6)  # 4.6 Mbit/s at 1280x720 and 30 pictures a second


class StreamSink:
    """A stream being sent; ``open_live`` makes one and says what its arguments mean."""

    def __init__(self, target: str, options: LiveOptions, colour: Colour, timeout: float) -> None:
        size = options.size
        self.notices: list[str] = []
        self._url = parse(target)
        self.shown = f"{self._url.scheme}://{self._url.netloc.rpartition('@')[2]}"  # without the stream's key
        self.size = (size[0] + size[0] % 2, size[1] + size[1] % 2)
        if self.size != size:
            self.notices.append(f"a stream needs even sizes: {self.size[0]}x{self.size[1]} px")
        self._fps, self._threads, self._clock = options.fps, options.threads, options.clock
        self._colour, self._timeout = colour, timeout
        self._transport: Transport | None = None
        self._output: OutputContainer | None = None
        self._start: float | None = None
        self._ticks = -1

    def __enter__(self) -> Send:
        udp = self._url.scheme == "udp"
        try:
            transport = self._transport = (
                Datagrams(self._url) if udp else RtmpProcess(self._url, self.size, self._timeout, self._clock)
            )
            self._output = self._open(transport, udp=udp)
            transport.ready()
        except BaseException as error:
            self._close()
            if isinstance(error, (FFmpegError, OSError, SinkError, UnicodeError)):
                self._fail(error)
            raise
        self._frame = VideoFrame(*self.size, "yuv420p")
        return self.send

    def _open(self, transport: Transport, *, udp: bool) -> OutputContainer:
        options = {"flush_packets": "1"} if udp else {"flush_packets": "1", "flvflags": "no_duration_filesize"}
        output = av.open(
            cast(Any, transport), "w", format="mpegts" if udp else "flv", container_options=options,
            buffer_size=DATAGRAM_BYTES if udp else 32768,
        )  # fmt: skip
        self._stream = self._add_stream(output, Fraction(1, 90000 if udp else 1000))
        output.start_encoding()
        return output

    def _add_stream(self, output: OutputContainer, time_base: Fraction) -> VideoStream:
        rate = Fraction(self._fps).limit_denominator(1001)
        bits = round(MAX_BITS_PER_PIXEL * self.size[0] * self.size[1] * min(rate, Fraction(60)))
        stream = output.add_stream("libx264", rate=rate)
        ctx = stream.codec_context
        ctx.width, ctx.height = self.size
        ctx.pix_fmt, ctx.time_base, ctx.thread_count = "yuv420p", time_base, self._threads
        tags = ColourTags.of(self._colour)
        ctx.color_range, ctx.colorspace = tags.range, tags.matrix
        ctx.options = {
            "preset": "superfast",  # 5 ms a picture of 1280x720 on one core, 2.5 times as small as ultrafast's 3 ms
            "tune": "zerolatency", "crf": "23", "maxrate": str(bits), "bufsize": str(bits // 2),
            "g": str(max(1, round(rate))),  # who tunes in waits a second at most
        }  # fmt: skip
        return stream

    def send(self, drawn: OutputFrame) -> None:
        """Send ``drawn``, shown from now on. Raises TypeError for anything but an OutputFrame, and SinkError."""
        check_output(drawn)
        output = cast(OutputContainer, self._output)
        clock = self._stream.codec_context.time_base
        now = self._clock()
        if self._start is None:
            self._start = now
        self._ticks = max(self._ticks + 1, round((now - self._start) / clock))
        frame, tags = self._frame, ColourTags.of(self._colour)
        frame.make_writable()
        fill(frame, letterbox(drawn, self.size, self._colour))
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
        if self._transport is not None:
            self._transport.close()


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


def takes(target: str) -> bool:
    """Whether ``target`` is an address."""
    return "://" in target


def open_live(target: str, options: LiveOptions, *, colour: Colour = CALLS, timeout: float = 5.0) -> StreamSink:
    """A sink that streams. A picture's time is the clock's when it is sent, so a late one is late, not all that follow.

    target   udp://HOST:PORT, rtmp://SERVER/APPLICATION/KEY or rtmps://...
    options  of an odd size the next even one is taken
    colour   the stream's matrix and range; pictures in others are brought to it
    timeout  seconds a server may take to answer, or take nothing

    Raises UsageError for a target that is no such address; entering and sending raise SinkError.
    """
    return StreamSink(target, options, colour, timeout)
