"""Sound, subtitles, covers, chapters and tags: carried over from the source beside the drawn pictures."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from errno import EINVAL, ERANGE, errorcode
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
from av.subtitles.stream import SubtitleStream
from av.video.stream import VideoStream

from streamtoon.film.container import film_streams, open_container, read_packets
from streamtoon.film.reader import Film
from streamtoon.film.transcode import TranscodedAudio, TranscodedSubtitles, takes

# what the new file says of itself: the container's kind, who encoded it, how long and how big its tracks are
STALE_TAGS: Final = ("major_brand", "minor_version", "compatible_brands", "encoder", "duration", "rotate", "vendor_id",
                "software", "bps", "number_of_", "_statistics")  # fmt: skip
CONTAINERS_WITH: Final = {
    "cover": ("mp4",),
    "attachment": ("matroska",),
}  # others would take them and make them something else
BEFORE_ALL_S: Final = Fraction(-(2**32))  # before every packet


class TrackWriter(Protocol):
    """An output track: packets of the source in, packets of the output out."""

    @property
    def stream(self) -> Stream:
        """The track in the output."""
        ...

    def packets(self, packet: Packet[Stream]) -> list[Packet[Stream]]:
        """What is ready after ``packet``; an empty one ends the track."""
        ...


class RemuxedTrack:
    """A track copied packet by packet, without decoding."""

    def __init__(self, source: Stream, output: OutputContainer) -> None:
        self.stream = output.add_stream_from_template(source, opaque=True)
        self._text = source.codec_context is not None and source.codec_context.name == "mov_text"

    def packets(self, packet: Packet[Stream]) -> list[Packet[Stream]]:
        """The packet itself; nothing for an empty one."""
        # the muxer itself puts empty mov_text packets between two lines
        if not packet.size or (self._text and bytes(packet) == b"\0\0"):
            return []
        packet.stream = self.stream
        return [packet]


class SourceTracks:
    """Everything of a film but its pictures, read by a second look at the file as the pictures are written.

    A second look, because sound may lie anywhere in a file: memory stays constant however it is interleaved.
    ``drawn`` are further films of the file: stream index -> the file that holds it drawn.
    """

    def __init__(
        self,
        film: Film,
        output: OutputContainer,
        notices: list[str],
        *,
        audio: bool,
        covers: bool,
        drawn: Mapping[int, Path],
    ) -> None:
        self._film, self._output, self._notices, self._audio, self._drawn = film, output, notices, audio, drawn
        self._covers = covers
        self._inputs = [open_container(film.path)]
        self._writers: dict[Stream, TrackWriter] = {}  # by track of the inputs
        self._packets: Iterator[Packet[Stream]] = iter(())
        self._next: Packet[Stream] | None = None
        self.damaged = 0  # packets the container would not take
        source = self._inputs[0]
        output.metadata.update(kept(source.metadata))
        output.set_chapters(source.chapters())
        self.chapters = len(source.chapters())
        data = [s for s in source.streams if s.type in ("data", "unknown") and "timecode" not in s.metadata]
        left = len(data) - bool(data and source.chapters())  # QuickTime keeps the chapters' titles in one
        if left > 0:
            notices.append(f"{left} data {'track is' if left == 1 else 'tracks are'} left out")

    def add(self, pictures: Callable[[], VideoStream], index: int) -> None:
        """Add the source's tracks to the output in their order; ``pictures`` adds the one whose place is ``index``."""
        source = self._inputs[0]
        films = [s.index for s in film_streams(source)]
        for stream in source.streams:
            if stream.index == index:
                _describe(pictures(), stream)
            elif stream.index in self._drawn:
                self._inputs.append(open_container(self._drawn[stream.index]))
                film = self._inputs[-1].streams.video[0]
                self._writers[film] = RemuxedTrack(film, self._output)
                _describe(self._writers[film].stream, stream)
            elif stream.type in ("data", "unknown") or stream.index in films:
                continue
            elif (self._audio or stream.type != "audio") and (writer := self._writer_for(stream)):
                self._writers[stream] = writer
                _describe(writer.stream, stream)
        self._packets = merge(*map(self._read, self._inputs), key=_due)
        self._next = next(self._packets, None)

    def _read(self, container: InputContainer) -> Iterator[Packet[Stream]]:
        streams = [s for s in container.streams if s in self._writers]
        return read_packets(container, streams, lambda: None) if streams else iter(())

    def _writer_for(self, stream: Stream) -> TrackWriter | None:
        """What writes a source track into the output; None, and a notice, where it is left out."""
        container = self._output.format.name
        cover = bool(stream.disposition & Disposition.attached_pic)
        name = f"{'cover' if cover else stream.type} track {stream.index}"
        codec = stream.codec_context.codec.canonical_name if stream.codec_context else stream.type
        if cover and not self._covers:
            self._notices.append(f"{name} is left out: it is not drawn")
            return None
        try:
            if cover and container == "matroska":
                self._attach(stream)
                return None
            able = CONTAINERS_WITH.get("cover" if cover else stream.type, (container,))
            if container in able and fits(stream, container):
                return RemuxedTrack(stream, self._output)
            recoded = (
                TranscodedAudio(stream, self._output)
                if isinstance(stream, AudioStream) and stream.codec_context
                else None
            )
            text = (
                TranscodedSubtitles(stream, self._output)
                if isinstance(stream, SubtitleStream) and stream.codec_context
                else None
            )
        except (FFmpegError, ValueError) as error:
            self._notices.append(f"{name} is left out: {error}")
            return None
        new = recoded or text
        if new is None:
            self._notices.append(f"{name} is left out: {container} takes no {codec}")
        else:
            self._notices.append(f"{name}: {container} takes no {codec}, so it becomes {new.codec}")
        return new

    def _attach(self, cover: Stream) -> None:
        with open_container(self._film.path) as look:
            picture = bytes(next(look.demux(look.streams[cover.index])))
        name, kind = ("cover.png", "image/png") if cover.codec_context.name == "png" else ("cover.jpg", "image/jpeg")
        self._output.add_attachment(name, kind, picture)

    def copy(self, until: Fraction | None) -> None:
        """Write what is due up to ``until`` seconds; all that is left for None. Raises FFmpegError."""
        while (packet := self._next) is not None:
            if until is not None and _due(packet) > until:
                return
            writer = self._writers[packet.stream]
            try:
                ready = writer.packets(packet)
            except (FFmpegError, ValueError):
                ready = []
                self.damaged += 1
            for out in ready:
                try:
                    self._output.mux(out)
                except FFmpegError as error:
                    if of_the_disk(error):
                        raise
                    self.damaged += 1
            self._next = next(self._packets, None)

    def close(self) -> None:
        """Close the inputs."""
        for container in self._inputs:
            container.close()


def of_the_disk(error: FFmpegError) -> bool:
    """Whether the system refused to write; otherwise a container refused a packet, maybe one that came earlier."""
    return error.errno in errorcode and error.errno not in (EINVAL, ERANGE)


def fits(stream: Stream, container: str) -> bool:
    """Whether a container takes a track as it is: a header is written to see."""
    if stream.codec_context and not takes(container, stream.codec_context.codec.canonical_name):
        return False
    with suppress(FFmpegError), av.open(io.BytesIO(), "w", format=container) as trial:
        try:
            RemuxedTrack(stream, trial)
            trial.start_encoding()
        except (FFmpegError, ValueError):
            return False
    return True


def kept(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags that are still true of the new file."""
    return {k: v for k, v in tags.items() if not k.lower().startswith(STALE_TAGS)}


def _due(packet: Packet[Stream]) -> Fraction:
    """Seconds at which a packet is due; those that say nothing come at once."""
    return BEFORE_ALL_S if packet.dts is None else packet.dts * packet.time_base


def _describe(stream: Stream, source: Stream) -> None:
    stream.metadata.update(kept(source.metadata))
    stream.disposition = source.disposition
