"""What carries a stream's bytes: datagrams for UDP, a process of our own for RTMP.

libav's own network calls cannot be given a time limit from Python and hold Python's lock while they connect: a server
that keeps silent would stop every thread, and with it every other sink.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final, Protocol, cast
from urllib.parse import SplitResult

from streamtoon.errors import SinkError

START_TIMEOUT_S: Final = 20.0  # for our own process
CHUNK_BYTES: Final = 1 << 16  # handed over at once


class Transport(Protocol):
    """Opening one raises OSError or SinkError; ``close`` raises nothing."""

    def write(self, data: bytes) -> int:
        """Take ``data`` without waiting. Raises OSError or SinkError."""
        ...

    def ready(self) -> None:
        """Wait, once the header is written, until pictures may come. Raises OSError or SinkError."""
        ...

    def close(self) -> None: ...  # noqa: D102 - the class says it


class Datagrams:
    """MPEG-TS over UDP. Whether anybody listens is nobody's concern; what the system has no room for is lost."""

    def __init__(self, url: SplitResult) -> None:
        family, kind, _, _, address = socket.getaddrinfo(url.hostname, url.port, type=socket.SOCK_DGRAM)[0]
        self._address = address
        self._socket = socket.socket(family, kind)
        self._socket.setblocking(False)

    def write(self, data: bytes) -> int:
        """Send one datagram."""
        with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
            self._socket.sendto(data, self._address)
        return len(data)

    def ready(self) -> None:
        """Nobody answers."""

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class RtmpProcess:
    """FLV to a process of our own, which speaks RTMP (rtmp_process.py). What it does not take at once is kept for it.

    timeout  seconds the server may take to answer, or take nothing
    """

    def __init__(self, url: SplitResult, size: tuple[int, int], timeout: float, clock: Callable[[], float]) -> None:
        self._timeout, self._clock = timeout, clock
        self._taken = clock()  # when it last took something, or had taken all
        self._kept = bytearray()
        program = str(Path(__file__).with_name("rtmp_process.py"))
        with socket.create_server(("127.0.0.1", 0)) as server:
            self._child = subprocess.Popen(
                [sys.executable, "-P", program], stdin=subprocess.PIPE, start_new_session=True  # Ctrl-C is for us
            )  # fmt: skip
            try:
                self._socket = self._join(server, size, url.geturl())
            except BaseException:
                self._end()
                raise

    def _join(self, server: socket.socket, size: tuple[int, int], url: str) -> socket.socket:
        token = secrets.token_hex()  # so that nobody else is taken for our own process
        # not as arguments, which everybody on this computer may read: the stream's key is in the address
        pipe = cast(IO[bytes], self._child.stdin)
        with contextlib.suppress(OSError), pipe:
            pipe.write(f"{server.getsockname()[1]} {token} {size[0]} {size[1]} {url}".encode())
        server.settimeout(START_TIMEOUT_S)
        joined, _ = server.accept()
        joined.settimeout(START_TIMEOUT_S)
        if joined.recv(len(token), socket.MSG_WAITALL) != token.encode():
            joined.close()
            raise SinkError("another process has answered in place of our own")
        return joined

    def write(self, data: bytes) -> int:
        """Hand on what it takes. Raises SinkError where it has ended, or has taken nothing for too long."""
        self._kept += data
        taken = 0
        try:
            while taken < len(self._kept):
                taken += self._socket.send(self._kept[taken : taken + CHUNK_BYTES])
        except BlockingIOError:
            pass
        except OSError:  # it has ended
            raise SinkError(self._answer() or "the connection broke") from None
        del self._kept[:taken]
        if taken or not self._kept:
            self._taken = self._clock()
        elif self._clock() - self._taken > self._timeout:
            raise SinkError(f"the server has taken nothing for {self._timeout:g} s")
        return len(data)

    def ready(self) -> None:
        """Wait until the server has accepted the stream. Raises SinkError with what it says where it does not."""
        said = self._answer()
        self._socket.setblocking(False)
        if said != "ready":
            raise SinkError(said or "the connection broke")

    def _answer(self) -> str:
        """What our process says next."""
        try:
            self._socket.settimeout(self._timeout)
            return self._socket.recv(CHUNK_BYTES).decode(errors="replace").strip()
        except TimeoutError:
            return f"the server does not answer within {self._timeout:g} s"
        except OSError:
            return ""

    def close(self) -> None:
        """Let it end the stream; end it where it does not."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        self._end()
        self._socket.close()

    def _end(self) -> None:
        try:
            self._child.wait(1)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
