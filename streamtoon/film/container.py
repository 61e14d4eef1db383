"""A film's file: opened, its films told from its covers, its packets read past what is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from streamtoon.errors import SourceError, UsageError

TEXT_FORMATS: Final = frozenset({"tty", "concat", "hls", "dash", "sdp"})  # text files that libav would play or follow
MAX_FAILED_READS: Final = 8  # in a row before the rest of a file is given up
ADDRESS_TIMEOUTS_S: Final = (10.0, 3.0)  # that an address may take to open, and to give its next packet
# for cameras: over UDP pictures come smeared where packets are lost, and what waits in a queue is late
CAMERA_OPTIONS: Final = {"rtsp_flags": "prefer_tcp", "fflags": "nobuffer"}


def shown(address: str) -> str:
    """An address as it may be told: without the user, the password and the key that may be in it."""
    url = urlsplit(address)
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}"


def open_address(address: str) -> InputContainer:
    """Open what an address gives. Raises SourceError where nobody answers or it is no film."""
    options = {} if address.lower().startswith("http") else CAMERA_OPTIONS
    try:
        return av.open(address, metadata_errors="replace", timeout=ADDRESS_TIMEOUTS_S, container_options=options)
    except (FFmpegError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise SourceError(f"cannot read {shown(address)}: {why}; check the address and that it is up") from None


def open_container(path: Path) -> InputContainer:
    """Open a film's file. Raises UsageError where there is none, SourceError where it is no film."""
    if path.exists() and not path.is_file():
        raise UsageError(f"cannot read {path}: it is a {'folder' if path.is_dir() else 'pipe or device'}; give a film")
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}; check the path") from None
    if empty:
        raise SourceError(f"cannot read {path}: it is empty; give a film")
    try:
        container = av.open(f"file:{path}", metadata_errors="replace")
    except (FFmpegError, ValueError):
        raise SourceError(
            f"cannot read {path}: it is no film, or its header is damaged; give a film that plays"
        ) from None
    if container.format.name in TEXT_FORMATS:
        container.close()
        raise SourceError(f"cannot read {path}: it is a text, not a film; give a film")
    return container


def film_streams(container: InputContainer) -> list[VideoStream]:
    """Its video streams that can be decoded and are films, not cover pictures."""
    return [s for s in container.streams.video if s.codec_context and not s.disposition & Disposition.attached_pic]


def read_packets(
    container: InputContainer, streams: Iterable[Stream], lost: Callable[[], None]
) -> Iterator[Packet[Stream]]:
    """Packets of ``streams`` as they lie in the file; ``lost`` is called for each that cannot be read."""
    streams = list(streams)
    failed = 0
    while failed < MAX_FAILED_READS:
        try:
            for packet in container.demux(streams):
                failed = 0
                if packet.is_corrupt:
                    lost()
                yield packet
        except FFmpegError:
            lost()
            failed += 1
        except (
            IndexError
        ):  # PyAV 18 flushes tracks that turned up on the way, which it does not know; it was at the end
            return
        else:
            return
