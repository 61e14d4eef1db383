"""Films: encoded with the source's clock, colours and tracks, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from math import lcm
from pathlib import Path
from types import TracebackType
from typing import Final

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame

from streamtoon.errors import SinkError, UsageError
from streamtoon.sinks import Send, check, check_target
from streamtoon.sinks.encoder import Encoder, Encoding, choose
from streamtoon.sinks.tracks import Tracks
from streamtoon.sources.turn import Turn
from streamtoon.sources.video import ColourTags, Film
from streamtoon.types import U8, Drawn

CONTAINERS: Final = {
    ".3gp": "3gp", ".avi": "avi", ".flv": "flv", ".m4v": "mp4", ".mkv": "matroska", ".mov": "mov", ".mp4": "mp4",
    ".nut": "nut", ".ts": "mpegts", ".webm": "webm",
}  # fmt: skip
MOV: Final = ("3gp", "mov", "mp4")
MATROSKA: Final = ("matroska", "webm")
CLOCK: Final = Fraction(1, 90000)  # seconds a tick, of films that come from no film


class VideoSink:
    """A film being written; ``write`` makes one and says what its arguments mean."""

    def __init__(
        self, target: Path, like: Film | None, encoding: Encoding, *, audio: bool, overwrite: bool, rate: Fraction,
        drawn: Sequence[tuple[int, Path]],
    ) -> None:
        self.notices: list[str] = []
        self.target, self.like, self.encoding, self.audio, self.drawn = target, like, encoding, audio, drawn
        self.rate = like.rate if like else rate
        self._format = CONTAINERS.get(target.suffix.lower(), "")
        if not self._format:
            raise UsageError(f"cannot write {target}: choose one of {' '.join(CONTAINERS)}, or a folder for pictures")
        if like and target.exists() and target.samefile(like.path):
            raise UsageError(f"cannot write {target}: it is the film that is read; give another name")
        check_target(target, overwrite=overwrite)
        choose(encoding, self._format)
        self._part = target.with_name(f".{target.name}.part")
        self._output: OutputContainer | None = None
        self._tracks: Tracks | None = None
        self._encoder: Encoder
        self._waiting: Drawn | None = None  # its duration is known when the next one comes
        self._ticks: int | None = None
        self._late = 0
        self._turn = Turn()

    def __enter__(self) -> Send:
        return self.send

    def send(self, drawn: Drawn) -> None:
        """Encode ``drawn``. Raises TypeError for anything but a Drawn, SinkError where it cannot be written."""
        check(drawn)
        if self._output is None:
            self._open(drawn)
        waiting, self._waiting = self._waiting, drawn
        if waiting is not None:
            self._encode(waiting, drawn.seconds - waiting.seconds)

    def _open(self, first: Drawn) -> None:
        like = self.like
        size, aspect = (first.width, first.height), like.aspect if like else None
        keeps_turn = like is not None and self._format in MOV + MATROSKA
        if like and like.turn and keeps_turn:
            self._turn = like.turn
            size = size[::-1] if self._turn.transpose else size
        elif like and like.turn.transpose and aspect:
            aspect = 1 / aspect
        time_base = like.time_base if like else CLOCK
        self._output = av.open(f"file:{self._part}", "w", format=self._format, container_options=self._options(time_base))
        tags = like.tags if like else ColourTags(1, 1 if first.colour.matrix == "bt709" else 6)
        self._encoder = Encoder(
            self._output, self.encoding, self.notices, size=size, time_base=time_base, rate=self.rate, aspect=aspect,
            tags=tags,
        )
        if like and like.matrix and keeps_turn:
            self._encoder.stream.set_display_matrix(like.matrix)
        if like:
            self._tracks = Tracks(
                like, self._output, self._encoder.stream, self.notices, audio=self.audio, drawn=self.drawn
            )
        with self._writing():
            self._output.start_encoding()
        step = self._encoder.stream.time_base
        if step and (self._encoder.time_base / step).denominator != 1:
            self.notices.append(f"{self._format} rounds times to {step} s")

    def _options(self, time_base: Fraction) -> dict[str, str]:
        if self._format in MATROSKA:  # sound that begins before zero would move the pictures
            return {"avoid_negative_ts": "disabled"}
        if self._format not in MOV:
            return {}
        # the movie's own clock holds the start of each track: coarser than theirs, it would move them
        clocks = [time_base.denominator]
        clocks += [s.codec_context.sample_rate for s in self.like.container.streams.audio] if self.like else []
        fine = lcm(*clocks)
        return {
            "video_track_timescale": str(time_base.denominator),
            "movie_timescale": str(fine if fine < 2**31 else time_base.denominator),
        }

    def _encode(self, drawn: Drawn, length: Fraction) -> None:
        assert self._output is not None
        encoder = self._encoder
        ticks = round(drawn.seconds / encoder.time_base)
        if self._ticks is not None and ticks <= self._ticks:
            ticks = self._ticks + 1
            self._late += 1
        self._ticks = ticks
        planes = drawn.planes if drawn.layout == "yuv420p" else to_yuv420p(drawn)
        planes = tuple(self._turn.coded(p) for p in planes) if self._turn else planes
        with self._writing():
            self._output.mux(encoder.encode(planes, ticks, max(1, round(length / encoder.time_base))))
            if self._tracks:
                self._tracks.copy(until=drawn.seconds)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            if self._output is not None:
                with suppress(FFmpegError):
                    self._output.close()
            if self._tracks:
                self._tracks.close()
            self._part.unlink(missing_ok=True)

    def _finish(self) -> None:
        if self._output is None or self._waiting is None:
            raise SinkError(f"cannot write {self.target}: not one picture was sent")
        self._encode(self._waiting, self.like.last_seconds if self.like else 1 / self.rate)
        with self._writing():
            self._output.mux(self._encoder.flush())
            if self._tracks:
                self._tracks.copy(until=None)
            self._output.close()
            self._part.replace(self.target)
        if self._late:
            self.notices.append(f"{self._late} frames came with times out of order: each follows the one before it")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (FFmpegError, OSError) as error:
            why = error.strerror or error
            raise SinkError(f"cannot write {self.target}: {why}; free some space or choose another place") from None


def to_yuv420p(drawn: Drawn) -> tuple[U8, ...]:
    """The planes of an rgb24 picture in the matrix and range of its colour."""
    frame = VideoFrame.from_ndarray(drawn.planes[0], "rgb24").reformat(
        format="yuv420p", dst_colorspace="ITU709" if drawn.colour.matrix == "bt709" else "ITU601",
        src_color_range="JPEG", dst_color_range="JPEG" if drawn.colour.full_range else "MPEG",
        interpolation="BICUBIC",
    )
    return tuple(
        np.frombuffer(p, np.uint8).reshape(p.height, p.line_size)[:, : p.width] for p in frame.planes
    )


def write(
    target: str, like: Film | None = None, *, encoding: Encoding | None = None, audio: bool = True,
    overwrite: bool = False, rate: Fraction = Fraction(25), drawn: Sequence[tuple[int, Path]] = (),
) -> VideoSink:
    """A sink that encodes a film.

    like       the film it is drawn from: its clock, size, colours, tracks, chapters and tags are kept
    encoding   encoder, quality and threads
    audio      whether sound is kept
    overwrite  whether ``target`` may be there already
    rate       pictures a second where there is no ``like``
    drawn      further films of ``like``, already drawn: number of the stream and file, in the container of ``target``

    Raises UsageError where ``target`` cannot be written; sending and leaving raise SinkError.
    """
    return VideoSink(
        Path(target), like, encoding or Encoding(), audio=audio, overwrite=overwrite, rate=rate, drawn=drawn
    )
