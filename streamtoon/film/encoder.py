"""The encoder of a film: chosen, opened in the way it accepts, and fed with planes."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, cast

import av
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from foundation.environment import environment
from foundation.scheduling import scheduling_kept
from streamtoon.errors import UsageError
from streamtoon.film.frames import ColourTags, samples
from streamtoon.types import U8

SVT_ERRORS_ALONE: Final = {"SVT_LOG": "1"}
FRAME_DURATION: Final = 1 << 8  # AV_CODEC_FLAG_FRAME_DURATION: hand the frames' durations on to the packets
ENCODERS: Final = {"webm": "libvpx-vp9"}  # by container; libx264 for the rest
DEFAULTS: Final = {  # what each encoder is told when nobody says otherwise
    "libx264": {"crf": "23", "preset": "veryfast"},
    "libx265": {"crf": "20", "preset": "veryfast", "x265-params": "log-level=none"},
    "libsvtav1": {"crf": "28", "preset": "8"},
    "mjpeg": {"strict": "unofficial"},  # takes the range films have
    "libvpx-vp9": {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"},
}
LARGE_PX: Final = 2560 * 1440  # of larger frames x264 keeps fewer at a time: they take 25 MB each at 4K
X264_LARGE: Final = {"x264-params": "rc-lookahead=2:sync-lookahead=0:bframes=2:sliced-threads=1"}
BITS_PER_PIXEL: Final = Fraction(1, 4)  # for encoders that know no constant rate factor
PRESET_NAMED: Final = ("libx264", "libx265")
PRESETS: Final = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo",
)  # fmt: skip
LAYOUTS: Final = ("yuv420p", "yuvj420p", "nv12", "yuv444p", "yuv422p", "gbrp", "rgb24", "bgr0")


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a film is encoded.

    encoder  any encoder libavcodec has; None takes the one that suits the container
    crf      constant rate factor, None for the encoder's usual one; only where the encoder knows it
    preset   speed against size, None for the encoder's usual one; only where the encoder knows it
    threads  how many threads the encoder may use
    """

    encoder: str | None = None
    crf: float | None = None
    preset: str | None = None
    threads: int = 2


def choose(encoding: Encoding, container: str) -> str:
    """Name of the encoder for a container format. Raises UsageError where libavcodec or the container has none such."""
    name = encoding.encoder or ENCODERS.get(container, "libx264")
    try:
        codec = av.Codec(name, "w")
    except (FFmpegError, ValueError):
        raise UsageError(f"there is no encoder {name!r} here; try libx264, libx265, libvpx-vp9 or ffv1") from None
    if codec.type != "video":
        raise UsageError(f"{name} encodes {codec.type}, not pictures; try libx264, libx265, libvpx-vp9 or ffv1")
    if encoding.preset and name in PRESET_NAMED and encoding.preset not in PRESETS:  # x264 itself would shout
        raise UsageError(f"{name} has no preset {encoding.preset!r}; choose one of {', '.join(PRESETS)}")
    with av.open(io.BytesIO(), "w", format=container) as trial:
        try:
            trial.add_stream(name, rate=1)
        except ValueError:
            raise UsageError(f"{container} takes no {name}; leave --encoder out, or write .mkv") from None
    return name


class Encoder:
    """An output stream and its encoder, opened in the first way it accepts.

    stream     of the output
    size       width and height it encodes, px
    time_base  seconds of one tick of its clock
    """

    def __init__(
        self,
        output: OutputContainer,
        encoding: Encoding,
        notices: list[str],
        *,
        size: tuple[int, int],
        time_base: Fraction,
        rate: Fraction,
        aspect: Fraction | None,
        tags: ColourTags,
    ) -> None:
        name = choose(encoding, output.format.name)
        options = _options(name, encoding, notices)
        if name == "libx264" and size[0] * size[1] > LARGE_PX:
            options |= X264_LARGE
        if output.format.name == "avi":  # holds times of decoding only, and only at a constant rate
            options["bf"], time_base = "0", 1 / rate
        even = (size[0] + size[0] % 2, size[1] + size[1] % 2)

        def configure(ctx: VideoCodecContext, size: tuple[int, int], time_base: Fraction) -> None:
            ctx.width, ctx.height = size
            ctx.pix_fmt = _layout(ctx)
            ctx.time_base = time_base
            ctx.framerate = rate
            if aspect:
                ctx.sample_aspect_ratio = aspect
            ctx.color_range, ctx.colorspace = tags.range, tags.matrix
            ctx.color_primaries, ctx.color_trc = tags.primaries, tags.transfer
            ctx.thread_count, ctx.thread_type = encoding.threads, "AUTO"
            ctx.flags |= FRAME_DURATION
            ctx.options = dict(options)
            if "crf" not in options:
                ctx.bit_rate = round(BITS_PER_PIXEL * size[0] * size[1] * min(rate, Fraction(60)))

        why = ""
        for self.size in dict.fromkeys((size, even)):
            for self.time_base in dict.fromkeys((time_base, 1 / rate)):
                with self.quietly():
                    why = _trial(name, lambda ctx: configure(ctx, self.size, self.time_base))
                if not why:
                    break
            if not why:
                break
        else:
            told = ", ".join(f"{k} {v}" for k, v in options.items()) or "no options"
            raise UsageError(f"{name} cannot encode {_x(size)} px with {told}: {why}; change these or the encoder")
        if self.size != size:
            notices.append(f"{name} needs even sizes: {_x(size)} becomes {_x(self.size)}, the last line repeated")
        self.stream = cast(VideoStream, output.add_stream(name, rate=rate))
        configure(self.stream.codec_context, self.size, self.time_base)
        self.stream.time_base = self.time_base
        self._tags = tags
        self._frame = VideoFrame(*self.size, "yuv420p")

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """For the time in which the encoder is opened: SVT-AV1 reports errors alone, and goes before nobody."""
        with environment(SVT_ERRORS_ALONE, unless_set=True), scheduling_kept():
            yield

    def encode(self, planes: tuple[U8, ...], ticks: int, duration: int) -> list[Packet[Stream]]:
        """Packets that are ready after yuv420p ``planes``, shown from ``ticks`` on for ``duration``."""
        frame, tags = self._frame, self._tags
        frame.make_writable()
        fill(frame, planes)
        frame.pts, frame.duration, frame.time_base = ticks, duration, self.time_base
        frame.color_range, frame.colorspace = tags.range, tags.matrix
        frame.color_primaries, frame.color_trc = tags.primaries, tags.transfer
        return self.stream.encode(frame)

    def flush(self) -> list[Packet[Stream]]:
        """The packets the encoder still holds."""
        return self.stream.encode(None)


def fill(frame: VideoFrame, planes: tuple[U8, ...]) -> None:
    """Copy planes into a frame as large or larger: the last column and row are repeated."""
    for plane, room in zip(planes, frame.planes, strict=True):
        h, w = plane.shape
        rows = samples(room)
        rows[:h, :w] = plane
        rows[:h, w : room.width] = plane[:, -1:]
        rows[h:] = rows[h - 1]


def _options(name: str, encoding: Encoding, notices: list[str]) -> dict[str, str]:
    """What the encoder is told; what it does not know is left out and noticed."""
    known = {option.name for option in av.CodecContext.create(name, "w").supported_options.private}
    options = dict(DEFAULTS.get(name, {}))
    for key, value in (("crf", encoding.crf), ("preset", encoding.preset)):
        if value is not None and key in known:
            options[key] = f"{value:g}" if isinstance(value, float) else str(value)
        elif value is not None:
            notices.append(f"{name} has no {key}: --{key} is left out")
    return options


def _trial(name: str, configure: Callable[[VideoCodecContext], None]) -> str:
    """Why an encoder refuses to open, in its own words; empty where it opens."""

    def open_one() -> None:
        ctx = av.Codec(name, "w").create("video")
        configure(ctx)
        ctx.open()

    try:
        open_one()
    except (FFmpegError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
    else:
        return ""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as logs, suppress(FFmpegError, ValueError):
            open_one()
    finally:
        av.logging.set_level(level)
    return next((message.strip() for _, _, message in logs), why)


def _layout(ctx: VideoCodecContext) -> str:
    known = [f.name for f in ctx.codec.video_formats or ()]
    return next((f for f in LAYOUTS if f in known), known[0] if known else LAYOUTS[0])


def _x(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
