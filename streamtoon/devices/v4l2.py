"""What a camera under Linux offers. Asks only; switches nothing on.

Requests, structs and flags: linux/videodev2.h, https://docs.kernel.org/userspace-api/media/v4l/v4l2.html
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ENUM_FMT: Final = 0xC0405602
ENUM_FRAMESIZES: Final = 0xC02C564A
ENUM_FRAMEINTERVALS: Final = 0xC034564B
DISCRETE: Final = 1
MANY: Final = 256  # no driver lists more; one that never ends its list does not hold us up


@dataclass(frozen=True, slots=True)
class Mode:
    """One way a camera sends pictures: four-character code, px, pictures a second (0 where it does not say)."""

    code: str
    width: int
    height: int
    fps: float


def modes(path: Path) -> list[Mode]:
    """What the camera at ``path``, /dev/videoN, offers, in its own order. Raises OSError where it does not open."""
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        return list(_modes(fd))
    finally:
        os.close(fd)


def _modes(fd: int) -> Iterator[Mode]:
    for i in range(MANY):
        kind = bytearray(struct.pack("=3I52x", i, 1, 0))
        if not _ask(fd, ENUM_FMT, kind):
            return
        pixels = struct.unpack_from("=I", kind, 44)[0]
        code = struct.pack("=I", pixels & 0x7FFFFFFF).decode("latin-1").strip()
        for j in range(MANY):
            size = bytearray(struct.pack("=2I36x", j, pixels))
            if not _ask(fd, ENUM_FRAMESIZES, size):
                break
            sort, *sides = struct.unpack_from("=7I", size, 8)
            # a list has width and height; a range has least, most and step of each, of which the most is told
            width, height = sides[:2] if sort == DISCRETE else (sides[1], sides[4])
            yield Mode(code, width, height, _fps(fd, pixels, width, height))
            if sort != DISCRETE:
                break


def _fps(fd: int, pixels: int, width: int, height: int) -> float:
    """The highest rate of one size."""
    best = 0.0
    for i in range(MANY):
        step = bytearray(struct.pack("=4I36x", i, pixels, width, height))
        if not _ask(fd, ENUM_FRAMEINTERVALS, step):
            break
        sort, over, under = struct.unpack_from("=3I", step, 16)  # a range begins with its shortest interval
        best = max(best, under / over if over else 0.0)
        if sort != DISCRETE:
            break
    return best


def _ask(fd: int, request: int, data: bytearray) -> bool:
    """Fill ``data``; False where the device says no, which also ends its lists."""
    import fcntl  # not on every system

    try:
        fcntl.ioctl(fd, request, data)
    except OSError:
        return False
    return True
