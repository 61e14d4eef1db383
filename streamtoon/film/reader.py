"""Films: every frame libav decodes, upright, as yuv420p planes that still lie in the decoder's memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streamtoon.errors import SourceError
from streamtoon.film.container import film_streams, open_address, open_container, read_packets, shown
from streamtoon.film.frames import PlaneReader
from streamtoon.types import Frame

AVI: Final = "avi"  # has times of decoding only
MATROSKA: Final = "matroska,webm"
MOV: Final = "mov,mp4,m4a,3gp,3g2,mj2"
HEADER_SLACK_S: Final = Fraction(1, 5)  # by which headers of sound films miss their end
MAX_HEADER_BYTES: Final = 4096  # between two packets of a Matroska file: more is damage


class Film:
    """An open film. ``open`` makes one; ``frames`` may be called once.

    path          the file
    index         of the stream that is read
    others        indices of the further films in the file
    time_base     seconds of one tick of the film's clock
    rate          frames a second, as the container tells or guesses
    size          width and height of an upright frame, px
    aspect        width of a coded pixel over its height, None where the film does not say
    matrix        display matrix of the coded pictures, None where there is none
    turn          what makes the coded pictures upright
    colour, tags  how the numbers are to be read, and what the film itself says of that
    count         about how many frames there are, None where nobody knows
    last_seconds  how long the frame decoded last is shown
    notices       what was changed on the way, one line each
    """

    def __init__(self, path: Path | str, stream: int | None, threads: int) -> None:
        self.path = Path(path)
        self._told = shown(path) if isinstance(path, str) else str(path)
        self.notices: list[str] = []
        self.last_seconds = Fraction(0)
        self._lost = 0  # packets and frames that did not decode
        self._end: Fraction | None = None  # of the furthest packet of any stream
        self._read = (0, 0)  # where in the file the last packet began and ended
        self._cut = ""
        self._dts: deque[int] = deque()
        self.container = open_address(path) if isinstance(path, str) else open_container(path)
        try:
            self._stream = self._choose(stream)
            self.index = self._stream.index
            self.others = [s.index for s in film_streams(self.container) if s is not self._stream]
            self._stream.codec_context.thread_count = threads
            self._stream.codec_context.thread_type = "AUTO"
            self.time_base = self._stream.time_base or Fraction(1, 90000)
            self.rate = self._stream.guessed_rate or self._stream.average_rate or Fraction(25)
            self._decoded = self._decode()
            self._first: VideoFrame | None = self._describe(next(self._decoded, None))
        except BaseException:
            self.container.close()
            raise

    def _choose(self, stream: int | None) -> VideoStream:
        films = film_streams(self.container)
        if not films:
            kinds = sorted({s.type for s in self.container.streams})
            why = f"it holds {', '.join(kinds) or 'nothing'} but no film"
            if "video" in kinds:
                why = "nothing here can decode its pictures"
            raise SourceError(f"cannot read {self._told}: {why}; give a film")
        if stream is not None:
            return next(s for s in films if s.index == stream)
        best = self.container.streams.best("video")
        return next((s for s in films if s is best), films[0])

    def _describe(self, first: VideoFrame | None) -> VideoFrame:
        if first is None:
            raise SourceError(f"cannot read {self._told}: not one frame of it can be decoded; give a film that plays")
        stream = self._stream
        self._planes = PlaneReader(first, self.notices)
        self.matrix, self.turn = self._planes.matrix, self._planes.turn
        self.colour, self.tags = self._planes.colour, self._planes.tags
        self.size = first.width, first.height
        if self.turn.transpose:
            self.size = first.height, first.width
        self.aspect = stream.sample_aspect_ratio or None
        length = stream.duration * self.time_base if stream.duration else _length(self.container)
        guess = round(length * (stream.average_rate or self.rate)) if length else 0
        self.count = min(stream.frames or guess, guess or stream.frames) or None
        return first

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the planes of frames already read stay valid."""
        self._first = None
        self._decoded.close()
        self.container.close()

    @property
    def damage(self) -> str | None:
        """What of the film could not be read, once ``frames`` has ended; None where all could."""
        lost = f"{self._lost} of its packets or frames did not decode" if self._lost else ""
        return " and ".join(filter(None, (lost, self._cut))) or None

    def frames(self) -> Iterator[Frame]:
        """Every frame that decodes, in presentation order, upright, with its exact time."""
        decoded, self._first = self._first, None
        expected = Fraction(0)  # when the next frame is due, where it does not say so itself
        index = 0
        while decoded is not None:
            base = decoded.time_base or self.time_base
            tick = self._tick(decoded)
            seconds = expected if tick is None else tick * base
            self.last_seconds = decoded.duration * base if decoded.duration else 1 / self.rate
            expected = seconds + self.last_seconds
            planes = self._planes.read(decoded)
            yield Frame(planes, "yuv420p", index, seconds, self.colour, duration=self.last_seconds)
            index += 1
            decoded = next(self._decoded, None)
        promised = self._promised()
        if promised and self._end is not None and self._end < promised - HEADER_SLACK_S:
            self._cut = f"it breaks off after {float(self._end):.1f} of {float(promised):.1f} s"

    def _tick(self, frame: VideoFrame) -> int | None:
        if self.container.format.name == AVI:
            # pictures come out in order, so the first is due at the first time of decoding, and so on
            return self._dts.popleft() if self._dts else None
        return frame.pts if frame.pts is not None else frame.dts

    def _promised(self) -> Fraction | None:
        """When the film ends by its own header, seconds; None where headers tell no such thing exactly."""
        container, stream = self.container, self._stream
        if container.format.name == AVI:
            return stream.frames * self.time_base
        length = _length(container)
        if container.format.name == MOV and length:
            return length + Fraction(container.start_time or 0, av.time_base)
        return length if container.format.name == MATROSKA else None  # some count it from zero, some from the start

    def _decode(self) -> Generator[VideoFrame, None, None]:
        for packet in read_packets(self.container, self.container.streams, self._count_lost):
            self._place(packet)
            if packet.stream is not self._stream:
                continue
            if packet.dts is not None:
                self._dts.append(packet.dts)
            try:
                frames = self._stream.decode(packet)
            except FFmpegError:
                self._count_lost()
                if packet.dts is not None:
                    self._dts.remove(packet.dts)
                continue
            for frame in frames:
                self._lost += frame.is_corrupt
                yield frame

    def _place(self, packet: Packet[Stream]) -> None:
        """Note how far a packet reaches, in time and in the file."""
        start = packet.dts if packet.pts is None or self.container.format.name == AVI else packet.pts
        if packet.size and start is not None:
            end = (start + (packet.duration or 0)) * packet.time_base
            self._end = end if self._end is None else max(self._end, end)
        if (
            packet.pos is not None and self.container.format.name == MATROSKA
        ):  # whose reader skips what is damaged silently
            first, behind = self._read
            self._lost += behind and packet.pos - behind > MAX_HEADER_BYTES
            laced = packet.pos == first  # several packets in one block
            self._read = (packet.pos, (behind if laced else packet.pos) + packet.size)

    def _count_lost(self) -> None:
        self._lost += 1


def _length(container: InputContainer) -> Fraction | None:
    return Fraction(container.duration, av.time_base) if container.duration else None


def open(target: str | Path, stream: int | None = None, threads: int = 2) -> Film:  # noqa: A001 - as in ``av.open``
    """Open a film and decode its first frame with ``threads`` threads; ``stream`` is for films with several.

    Raises UsageError where there is no such file, SourceError where not one frame of it can be decoded.
    """
    return Film(Path(target), stream, threads)
