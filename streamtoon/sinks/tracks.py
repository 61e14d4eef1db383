"""Sound, subtitles, covers, chapters and tags: carried over from the source beside the drawn pictures."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import suppress
from errno import EINVAL
from fractions import Fraction
from heapq import merge
from pathlib import Path
from typing import Final, Protocol

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from streamtoon.sinks.recode import Sound, Text
from streamtoon.sources.video import Film, open_container, read_packets

# what the new file says of itself: the container's kind, who encoded it, how long and how big its tracks are
STALE: Final = ("major_brand", "minor_version", "compatible_brands", "encoder", "duration", "rotate", "vendor_id",
                "bps", "number_of_", "_statistics")
BEGINNING: Final = Fraction(-(2**32))  # seconds; before every packet


class Carrier(Protocol):
    """An output track: packets of the source in, packets of the output out."""

    stream: Stream

    def packets(self, packet: Packet) -> list[Packet]:
        """What is ready after ``packet``; an empty one ends the track."""
        ...


class Copy:
    """A track copied packet by packet, bit by bit."""

    def __init__(self, source: Stream, output: OutputContainer) -> None:
        self.stream = output.add_stream_from_template(source, opaque=True)

    def packets(self, packet: Packet) -> list[Packet]:
        """The packet itself; nothing for an empty one."""
        if not packet.size:
            return []
        packet.stream = self.stream
        return [packet]


class Tracks:
    """Everything of a film but its pictures, read by a second look at the file as the pictures are written.

    A second look, because sound may lie anywhere in a file: memory stays constant however it is interleaved.
    """

    def __init__(
        self, film: Film, output: OutputContainer, video: VideoStream, notices: list[str], *, audio: bool,
        drawn: Sequence[tuple[int, Path]] = (),
    ) -> None:
        self.notices = notices
        self._output = output
        self._late: dict[int, int] = {}
        self._inputs: list[tuple[InputContainer, dict[int, Carrier]]] = []
        source = self._open(film.path)
        _describe(video, source.streams[film.index])
        for index, path in drawn:
            part = self._open(path)
            copy = Copy(part.streams.video[0], output)
            self._inputs[-1][1][part.streams.video[0].index] = copy
            _describe(copy.stream, source.streams[index])
        self._add(source, film, audio=audio)
        output.metadata.update(_kept(source.metadata))
        output.set_chapters(source.chapters())
        self._packets = merge(*(
            read_packets(container, [container.streams[i] for i in carriers], lambda: None)
            for container, carriers in self._inputs if carriers
        ), key=_due)
        self._carriers = {id(c): carriers for c, carriers in self._inputs}
        self._next = next(self._packets, None)

    def _open(self, path: Path) -> InputContainer:
        self._inputs.append((open_container(path), {}))
        return self._inputs[-1][0]

    def _add(self, source: InputContainer, film: Film, *, audio: bool) -> None:
        data = 0
        carriers = self._inputs[0][1]
        for stream in source.streams:
            cover = bool(stream.disposition & Disposition.attached_pic)
            if (stream.type == "video" and not cover) or (stream.type == "audio" and not audio):
                continue
            if stream.type in ("data", "unknown"):
                data += 1
                continue
            carrier = self._carrier(stream)
            if carrier is not None:
                _describe(carrier.stream, stream)
                carriers[stream.index] = carrier
        data -= bool(data and source.chapters() and source.format.name.startswith("mov"))  # their titles are one
        if data:
            self.notices.append(f"{data} data {'track is' if data == 1 else 'tracks are'} left out, such as timecode")

    def _carrier(self, stream: Stream) -> Carrier | None:
        name = f"{stream.type} track {stream.index}"
        codec = stream.codec_context.name if stream.codec_context else stream.name
        container = self._output.format.name
        if fits(stream, container):
            return Copy(stream, self._output)
        try:
            if isinstance(stream, AudioStream) and stream.codec_context:
                sound = Sound(stream, self._output)
                self.notices.append(f"{name}: {container} takes no {codec}, so it is encoded as {sound.codec}")
                return sound
            if stream.type == "subtitle" and stream.codec_context:
                text = Text(stream, self._output)
                self.notices.append(f"{name}: {container} takes no {codec}, so it is written as {text.codec}")
                return text
        except (FFmpegError, ValueError) as error:
            self.notices.append(f"{name} is left out: {error}")
            return None
        self.notices.append(f"{name} is left out: {container} takes no {codec or stream.type}")
        return None

    def copy(self, until: Fraction | None) -> None:
        """Write what is due up to ``until`` seconds; all that is left for None. Raises FFmpegError."""
        while (packet := self._next) is not None:
            if until is not None and _due(packet) > until:
                return
            carrier = self._carriers[id(packet.stream.container)][packet.stream.index]
            try:
                ready = carrier.packets(packet)
            except (FFmpegError, ValueError):  # damaged: the film's own look at the file has counted it
                ready = []
            for out in ready:
                self._mux(out, carrier.stream)
            self._next = next(self._packets, None)

    def _mux(self, packet: Packet, stream: Stream) -> None:
        try:
            self._output.mux(packet)
        except FFmpegError as error:
            if error.errno != EINVAL:
                raise
            self._late[stream.index] = self._late.get(stream.index, 0) + 1

    def close(self) -> None:
        """Close the second look; tell of packets no container would take."""
        for index, count in self._late.items():
            self.notices.append(f"{count} packets of track {index} came out of order and are left out")
        for container, _ in self._inputs:
            container.close()


def fits(stream: Stream, container: str) -> bool:
    """Whether a container takes a track as it is: a header is written to see."""
    with av.open(io.BytesIO(), "w", format=container) as trial:
        try:
            Copy(stream, trial)
            trial.start_encoding()
        except (FFmpegError, ValueError):
            return False
        finally:
            with suppress(FFmpegError):
                trial.close()
    return True


def _due(packet: Packet) -> Fraction:
    """Seconds at which a packet is due; those that say nothing come at once."""
    return BEGINNING if packet.dts is None else packet.dts * packet.time_base


def _describe(stream: Stream, source: Stream) -> None:
    stream.metadata.update(_kept(source.metadata))
    stream.disposition = source.disposition


def _kept(tags: dict[str, str]) -> dict[str, str]:
    return {k: v for k, v in tags.items() if not k.lower().startswith(STALE)}
