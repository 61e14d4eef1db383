"""Sound and subtitles a container cannot hold as they are: decoded and encoded as something it can."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Final, cast

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.subtitles.stream import SubtitleStream

AUDIO_ENCODERS: Final = ("aac", "libopus", "libmp3lame", "flac", "pcm_s16le")  # the first the container takes
SUBTITLE_ENCODERS: Final = ("mov_text", "srt", "webvtt", "ass")
MPEGTS_CODECS: Final = frozenset({"aac", "ac3", "dts", "eac3", "libmp3lame", "libopus", "mp2", "mp3", "opus", "truehd",
                           "dvb_subtitle", "dvb_teletext", "hdmv_pgs_subtitle"})  # fmt: skip
AUDIO_BPS_PER_CHANNEL: Final = 80_000
MAX_AUDIO_GAP_S: Final = Fraction(1, 10)  # up to which samples are counted on: only longer gaps are kept


def takes(container: str, codec: str) -> bool:
    """Whether a container takes a codec, which is given by its own name or that of an encoder."""
    if container == "mpegts":  # libav would put anything into it, and find nothing again
        return codec in MPEGTS_CODECS
    with av.open(io.BytesIO(), "w", format=container) as trial:
        try:
            trial.add_mux_stream(codec)
        except ValueError:
            return False
    return True


class TranscodedAudio:
    """A sound track on its way into another codec. Raises ValueError where the container takes none we have."""

    def __init__(self, source: AudioStream, output: OutputContainer) -> None:
        self.codec, rate, layout = _sound(source.codec_context, output)
        self.stream = cast(AudioStream, output.add_stream(self.codec, rate=rate))
        self.stream.codec_context.layout = layout
        self.stream.codec_context.bit_rate = AUDIO_BPS_PER_CHANNEL * self.stream.codec_context.channels
        self._source = source
        self._next: int | None = None  # first sample of the next frame, on the sound's own clock

    def packets(self, packet: Packet[Stream]) -> list[Packet[Stream]]:
        """What is ready after ``packet``; an empty one ends the track."""
        ready = []
        for frame in self._source.decode(packet):
            clock = Fraction(1, frame.sample_rate)
            if frame.pts is not None and frame.time_base:
                due = round(frame.pts * frame.time_base / clock)
                # count samples: times in whole milliseconds would make the encoder stutter
                if self._next is None or due - self._next > MAX_AUDIO_GAP_S / clock:
                    self._next = due
            frame.pts, frame.time_base = self._next or 0, clock
            self._next = frame.pts + frame.samples
            ready += self.stream.encode(frame)
        return ready if packet.size else ready + self.stream.encode(None)


def _sound(source: AudioCodecContext, output: OutputContainer) -> tuple[str, int, str]:
    """Encoder, samples a second and channel layout for a track."""
    for name in AUDIO_ENCODERS:
        if not takes(output.format.name, name):
            continue
        codec = av.Codec(name, "w")
        fits = not codec.audio_rates or source.sample_rate in codec.audio_rates
        rate = source.sample_rate if fits else 48_000
        for layout in (source.layout.name, "stereo"):
            trial = codec.create("audio")
            try:
                trial.sample_rate, trial.layout = rate, layout
                trial.format = codec.audio_formats[0] if codec.audio_formats else "s16"
                trial.open()
            except (FFmpegError, ValueError):
                continue
            return name, rate, layout
    raise ValueError(f"{output.format.name} takes no sound that can be encoded here")


class TranscodedSubtitles:
    """A text subtitle track on its way into another codec. Raises ValueError where that cannot be."""

    def __init__(self, source: SubtitleStream, output: OutputContainer) -> None:
        self._decoder = source.codec_context
        if not self._decoder.codec.text_sub:
            raise ValueError(f"{source.name} subtitles are pictures, which cannot become text")
        self.codec = next((n for n in SUBTITLE_ENCODERS if takes(output.format.name, n)), "")
        if not self.codec:
            raise ValueError(f"{output.format.name} takes no subtitles")
        self._decoder.open(strict=False)
        self.stream = cast(SubtitleStream, output.add_stream(self.codec))
        self._encoder = self.stream.codec_context
        self._encoder.subtitle_header = self._decoder.subtitle_header
        self._encoder.time_base = Fraction(1, 1000)

    def packets(self, packet: Packet[Stream]) -> list[Packet[Stream]]:
        """``packet`` in the other codec; nothing for an empty one."""
        text = self._decoder.decode2(packet) if packet.size and packet.pts is not None else None
        if text is None:
            return []
        ready = self._encoder.encode_subtitle(text)
        ready.pts, ready.dts, ready.duration = packet.pts, packet.pts, packet.duration
        ready.time_base = packet.time_base
        ready.stream = self.stream
        return [ready]
