"""Films: encoded with the source's clock, colours and tracks, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from math import lcm
from pathlib import Path
from types import TracebackType
from typing import Final

import av
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from streamtoon.contracts import Send, check_output
from streamtoon.errors import SinkError, SourceError, UsageError
from streamtoon.film.container import open_container
from streamtoon.film.encoder import Encoder, Encoding, choose
from streamtoon.film.frames import ColourTags
from streamtoon.film.reader import Film
from streamtoon.film.rotation import Orientation
from streamtoon.film.target import check_target
from streamtoon.film.track_copy import SourceTracks, of_the_disk
from streamtoon.image.planes import from_rgb
from streamtoon.types import OutputFrame

CONTAINERS: Final = {
    ".avi": "avi", ".flv": "flv", ".m4v": "mp4", ".mkv": "matroska", ".mov": "mov", ".mp4": "mp4", ".ts": "mpegts",
    ".webm": "webm",
}  # fmt: skip
MOV: Final = ("mov", "mp4")
MATROSKA: Final = ("matroska", "webm")
NEGATIVE_START_CONTAINERS: Final = ("avi", "matroska", "webm")  # these hold it all the same
MAX_STEP_TICKS: Final = 2**31  # from one frame to the next that no container can hold: a broken time
DEFAULT_TICK_S: Final = Fraction(1, 90000)  # of films that come from no film


class VideoSink:
    """A film being written; ``write`` makes one and says what its arguments mean.

    also  further films of ``like``, to be put in before the first picture is sent: stream index -> the file that holds
          it drawn, in the same container
    """

    def __init__(
        self,
        target: Path,
        like: Film | None,
        encoding: Encoding,
        *,
        alone: bool,
        audio: bool,
        covers: bool,
        overwrite: bool,
        rate: Fraction,
    ) -> None:
        self.notices: list[str] = []
        self.also: dict[int, Path] = {}
        self.target, self.like, self.encoding, self.alone, self.audio = target, like, encoding, alone, audio
        self.covers = covers
        self.rate = like.rate if like else rate
        self.container = CONTAINERS.get(target.suffix.lower(), "")
        if not self.container:
            raise UsageError(f"cannot write {target}: choose one of {' '.join(CONTAINERS)}, or a folder for pictures")
        if like and target.exists() and target.samefile(like.path):
            raise UsageError(f"cannot write {target}: it is the film that is read; give another name")
        check_target(target, overwrite=overwrite)
        choose(encoding, self.container)
        self.part = target.with_name(f".{target.name}.part")
        self._output: Output | None = None
        self._waiting: OutputFrame | None = None  # how long it is shown is known when the next one comes

    def __enter__(self) -> Send:
        return self.send

    def send(self, drawn: OutputFrame) -> None:
        """Encode ``drawn``. Raises TypeError for anything but an OutputFrame, SinkError where it cannot be written."""
        check_output(drawn)
        with self._writing():
            if self._output is None:
                self._output = Output(self, drawn)
            if self._waiting is not None:
                self._output.write(self._waiting, drawn.seconds - self._waiting.seconds)
        self._waiting = drawn

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            if self._output is not None:
                self._output.close()
            self.part.unlink(missing_ok=True)

    def _finish(self) -> None:
        if self._output is None or self._waiting is None:
            raise SinkError(f"cannot write {self.target}: not one picture was sent")
        with self._writing():
            self._output.write(self._waiting, self.like.last_seconds if self.like else 1 / self.rate)
            self._output.finish()
            self._output.look_back()
            self.part.replace(self.target)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except SourceError:
            raise SinkError(
                f"cannot write {self.target}: what was written cannot be read; try another encoder"
            ) from None
        except (FFmpegError, OSError) as error:
            why = error.strerror or error
            raise SinkError(f"cannot write {self.target}: {why}; free some space or choose another place") from None


class Output:
    """The file behind a VideoSink, opened for the first picture. Every method raises FFmpegError."""

    def __init__(self, sink: VideoSink, first: OutputFrame) -> None:
        like, container = sink.like, sink.container
        size, aspect = (first.width, first.height), like.aspect if like else None
        self._size = size
        self._path, self._target = sink.part, sink.target
        self._notices = sink.notices
        self._turn = Orientation()
        turns = container in MOV + MATROSKA  # these can say that a film is to be turned
        if like and like.turn.transpose:
            size, aspect = (size[::-1], aspect) if turns else (size, 1 / aspect if aspect else None)
        time_base = like.time_base if like else DEFAULT_TICK_S
        options = {}
        if container in NEGATIVE_START_CONTAINERS:
            options["avoid_negative_ts"] = "disabled"  # sound that begins before zero would move the pictures
        if container in MOV:
            # the movie's own clock holds the start of each track: coarser than theirs, it would move them
            sound = like.container.streams.audio if like else ()
            rates = [s.codec_context.sample_rate or 1 for s in sound if s.codec_context]
            fine = lcm(time_base.denominator, *rates)
            options["movie_timescale"] = str(fine if fine < 2**31 else time_base.denominator)
            options["video_track_timescale"] = str(time_base.denominator)
            if like and any(k.startswith("com.") for k in like.container.metadata):  # as telephones write them
                options["movflags"] = "use_metadata_tags"
        self._file = av.open(f"file:{sink.part}", "w", format=container, container_options=options)
        tags = like.tags if like else ColourTags.of(first.colour)

        def pictures() -> VideoStream:
            self._encoder = Encoder(
                self._file, sink.encoding, sink.notices, size=size, time_base=time_base, rate=sink.rate,
                aspect=aspect, tags=tags,
            )  # fmt: skip
            return self._encoder.stream

        self._tracks: SourceTracks | None = None
        if like and not sink.alone:
            self._tracks = SourceTracks(
                like, self._file, sink.notices, audio=sink.audio, covers=sink.covers, drawn=sink.also
            )
            self._tracks.add(pictures, like.index)
        else:
            pictures()
        if like and like.matrix and turns:
            self._turn = like.turn
            self._encoder.stream.set_display_matrix(like.matrix)
        with self._encoder.quietly():
            self._file.start_encoding()
        self._step = self._encoder.stream.time_base or self._encoder.time_base  # the container may have chosen another
        self._begin = first.seconds
        self._ticks: int | None = None
        self._written = self._rounded = self._late = self._damaged = 0

    def write(self, drawn: OutputFrame, seconds: Fraction) -> None:
        """Encode a picture that is shown for ``seconds``, and copy the tracks up to it."""
        if (drawn.width, drawn.height) != self._size:
            was, now = f"{self._size[0]}x{self._size[1]}", f"{drawn.width}x{drawn.height}"
            raise SinkError(f"a film has one size: picture {drawn.index} is {now} px, those before it are {was} px")
        self._written += 1
        clock = self._encoder.time_base
        ticks = round(drawn.seconds / clock)
        self._rounded += any((drawn.seconds / unit).denominator != 1 for unit in (clock, self._step))
        if self._ticks is not None and not 0 < ticks - self._ticks < MAX_STEP_TICKS:
            ticks = self._ticks + 1
            self._late += 1
        self._ticks = ticks
        planes = drawn.planes
        if drawn.layout == "rgb24":
            planes = from_rgb(planes[0], "yuv420p", drawn.colour)
        if self._turn:
            planes = tuple(self._turn.coded(p) for p in planes)
        shown = round(seconds / clock)
        self._mux(self._encoder.encode(planes, ticks, shown if 0 < shown < MAX_STEP_TICKS else 1))
        if self._tracks:
            self._tracks.copy(until=drawn.seconds)

    def finish(self) -> None:
        """Write what is left and the file's end."""
        self._mux(self._encoder.flush())
        if self._tracks:
            self._tracks.copy(until=None)
        with self._sparing():
            self._file.close()
        damaged = self._damaged + (self._tracks.damaged if self._tracks else 0)
        if damaged:
            self._notices.append(f"{damaged} damaged packets of sound or subtitles are left out")
        if self._rounded:
            unit = max(self._step, self._encoder.time_base)
            self._notices.append(f"times are rounded to {unit} s: container and encoder keep no finer ones")
        if self._late:
            self._notices.append(f"{self._late} frames have times that cannot be: they follow the one before at once")

    def _mux(self, packets: list[Packet[Stream]]) -> None:
        for packet in packets:
            with self._sparing():
                self._file.mux(packet)

    @contextmanager
    def _sparing(self) -> Iterator[None]:
        """Go on where a damaged packet of another track is refused, which comes out late."""
        try:
            yield
        except FFmpegError as error:
            if of_the_disk(error):
                raise
            self._damaged += 1

    def look_back(self) -> None:
        """Read the file's header: what the container has not kept is noticed. Raises SinkError where frames are."""
        container, wanted = self._file.format.name, self._file.metadata
        chapters = self._tracks.chapters if self._tracks else 0
        with open_container(self._path) as made:
            names = {k.lower() for k in made.metadata}
            film = made.streams[self._encoder.stream.index]
            begin = (film.start_time or 0) * self._step
            if container in MOV and film.frames < self._written:
                count = f"{film.frames} of {self._written} frames"
                raise SinkError(f"cannot write {self._target}: only {count} got into it; try another encoder")
            found = len(made.chapters())
        if abs(begin - self._begin) > max(self._step, self._encoder.time_base):
            self._notices.append(
                f"the film begins at {float(begin):.3f} s instead of {float(self._begin):.3f} s: {container} needs that"
            )
        if lost := sorted(k for k in wanted if k.lower() not in names):
            self._notices.append(f"tags that {container} does not keep are left out: {', '.join(lost)}")
        if found < chapters:
            self._notices.append(f"{chapters} chapters are left out: {container} keeps none")

    def close(self) -> None:
        """Close the files, whatever state they are in."""
        with suppress(FFmpegError):
            self._file.close()
        if self._tracks:
            self._tracks.close()


def write(
    target: str,
    like: Film | None = None,
    *,
    encoding: Encoding | None = None,
    alone: bool = False,
    audio: bool = True,
    covers: bool = True,
    overwrite: bool = False,
    rate: Fraction = Fraction(25),
) -> VideoSink:
    """A sink that encodes a film.

    like       the film it is drawn from: its clock, size, colours, tracks, chapters and tags are kept
    encoding   encoder, quality and threads
    alone      only the pictures: none of the source's tracks, chapters and tags
    audio      whether sound is kept
    covers     whether cover pictures are kept, which nobody draws
    overwrite  whether ``target`` may be there already
    rate       pictures a second where there is no ``like``

    Raises UsageError where ``target`` cannot be written; sending and leaving raise SinkError.
    """
    options = encoding or Encoding()
    return VideoSink(
        Path(target), like, options, alone=alone, audio=audio, covers=covers, overwrite=overwrite, rate=rate
    )
