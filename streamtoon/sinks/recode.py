"""Sound and subtitles a container cannot hold as they are: decoded and encoded as something it can."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.subtitles.codeccontext import SubtitleCodecContext

SOUND: Final = ("aac", "libopus", "libmp3lame", "flac", "pcm_s16le")  # the first the container takes
TEXT: Final = ("mov_text", "srt", "webvtt", "ass")
BITS: Final = 80_000  # a second and channel
DRIFT: Final = Fraction(1, 10)  # seconds of sound that must be missing before silence is left in its place


class Sound:
    """A sound track on its way into another codec. Raises ValueError where the container takes none we have."""

    def __init__(self, source: AudioStream, output: OutputContainer) -> None:
        ctx = source.codec_context
        name, rate, layout = _sound(ctx, output)
        self.stream = output.add_stream(name, rate=rate)
        assert isinstance(self.stream, AudioStream)
        self.stream.codec_context.layout = layout
        self.stream.codec_context.bit_rate = BITS * self.stream.codec_context.channels
        self.codec = name
        self._source = source
        self._next: int | None = None  # first sample of the next frame, on the sound's own clock

    def packets(self, packet: Packet) -> list[Packet]:
        """What is ready after ``packet``; an empty one ends the track."""
        ready = []
        for frame in self._source.decode(packet):
            clock = Fraction(1, frame.sample_rate)
            if frame.pts is not None and frame.time_base:
                due = round(frame.pts * frame.time_base / clock)
                # count samples: times in whole milliseconds would make the encoder stutter
                if self._next is None or due - self._next > DRIFT / clock:
                    self._next = due
            frame.pts, frame.time_base = self._next or 0, clock
            self._next = frame.pts + frame.samples
            ready += self.stream.encode(frame)
        return ready if packet.size else ready + self.stream.encode(None)


def _sound(source: AudioCodecContext, output: OutputContainer) -> tuple[str, int, str]:
    """Encoder, samples a second and channel layout for a track."""
    for name in SOUND:
        if name not in output.supported_codecs:
            continue
        rates = av.Codec(name, "w").audio_rates
        rate = source.sample_rate if not rates or source.sample_rate in rates else 48_000
        for layout in (source.layout.name, "stereo"):
            trial = av.CodecContext.create(name, "w")
            assert isinstance(trial, AudioCodecContext)
            try:
                trial.sample_rate, trial.layout = rate, layout
                trial.format = (trial.codec.audio_formats or [av.AudioFormat("s16")])[0]
                trial.open()
            except (FFmpegError, ValueError):
                continue
            return name, rate, layout
    raise ValueError(f"{output.format.name} takes no sound that can be encoded here")


class Text:
    """A text subtitle track on its way into another codec. Raises ValueError where that cannot be."""

    def __init__(self, source: Stream, output: OutputContainer) -> None:
        decoder = source.codec_context
        if not isinstance(decoder, SubtitleCodecContext) or not decoder.codec.text_sub:
            raise ValueError("subtitles that are pictures cannot become text")
        decoder.open(strict=False)
        names = [n for n in TEXT if n in output.supported_codecs]
        if not names:
            raise ValueError(f"{output.format.name} takes no subtitles")
        self.codec = names[0]
        self.stream = output.add_stream(self.codec)
        encoder = self.stream.codec_context
        assert isinstance(encoder, SubtitleCodecContext)
        encoder.subtitle_header = decoder.subtitle_header
        encoder.time_base = Fraction(1, 1000)
        self._decoder, self._encoder = decoder, encoder

    def packets(self, packet: Packet) -> list[Packet]:
        """``packet`` in the other codec; nothing for an empty one."""
        if not packet.size or packet.pts is None:
            return []
        text = self._decoder.decode2(packet)
        if text is None:
            return []
        ready = self._encoder.encode_subtitle(text)
        ready.pts, ready.dts, ready.duration = packet.pts, packet.pts, packet.duration
        ready.time_base = packet.time_base
        ready.stream = self.stream
        return [ready]
