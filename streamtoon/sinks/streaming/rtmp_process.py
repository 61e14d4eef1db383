"""The process behind an RTMP stream, started by ``stream_transport``: takes FLV from it and hands it to libav's RTMP.

Standard input says on which port of this computer the parent listens, what to say there first, width and height of the
pictures, and where to stream to. What comes from there then is FLV; what goes back is ``ready``, or why it has ended.
Nothing of ours is imported: it is run by its path.
"""

from __future__ import annotations

import contextlib
import errno
import io
import socket
import sys
from typing import Any, Final, cast

import av
from av.error import FFmpegError

UNBUFFERED: Final = {
    "fflags": "nobuffer",
    "probesize": "32",
    "analyzeduration": "0",
}  # nothing is held back to look at it


def main() -> int:
    """Carry packets until the parent sends no more; the exit code."""
    port, token, width, height, url = sys.stdin.read().split()
    with socket.create_connection(("127.0.0.1", int(port))) as parent:
        parent.sendall(token.encode())
        av.logging.set_level(av.logging.ERROR)
        with av.logging.Capture() as logs:
            try:
                forward(parent, (int(width), int(height)), url)
            except (FFmpegError, OSError) as error:
                said = [text.strip() for _, _, text in logs if text.strip()]
                vague = error.errno == errno.EIO and said  # "Input/output error" is what RTMP calls most of them
                with contextlib.suppress(OSError):  # the parent may be gone as well
                    parent.sendall((said[-1] if vague else str(error.strerror)).replace(url, "it").encode())
                return 1
    return 0


def forward(parent: socket.socket, size: tuple[int, int], url: str) -> None:
    """Copy the film of ``size`` px that the parent sends to ``url``. Raises FFmpegError."""
    header = parent.recv(1 << 16)  # sent at once, and nothing more before we are ready
    with av.open(url, "w", format="flv", container_options={"flvflags": "no_duration_filesize"}) as output:
        with av.open(io.BytesIO(header), format="flv") as film:
            stream = output.add_stream_from_template(film.streams.video[0])
        stream.width, stream.height = size  # which no picture has told yet
        output.start_encoding()
        parent.sendall(b"ready")
        with av.open(cast(Any, Remaining(header, parent)), format="flv", options=UNBUFFERED) as film:
            for packet in film.demux(film.streams.video[0]):
                if packet.size:
                    packet.stream = stream
                    output.mux(packet)


class Remaining:
    """What has been read already, then what a socket has, as much as there is."""

    def __init__(self, begin: bytes, rest: socket.socket) -> None:
        self._begin, self._rest = begin, rest

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; none at the end."""
        some, self._begin = self._begin[:size], self._begin[size:]
        return some or self._rest.recv(size)


if __name__ == "__main__":
    raise SystemExit(main())
