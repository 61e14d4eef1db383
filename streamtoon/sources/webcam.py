"""``webcam:`` - a camera, by number or by name; unplugging it, or a driver that hangs, is survived.

``webcam:`` is the first one, ``webcam:2`` and ``webcam:/dev/video2`` the one of that number, ``webcam:logi`` the one
with that in its name. Virtual cameras are not taken: they show what we write.
"""

from __future__ import annotations

import os
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

import cv2
import numpy as np

from streamtoon.errors import SourceError, UsageError
from streamtoon.sources.pacing import to_fraction
from streamtoon.types import U8, Colour, Frame

SCHEME: Final = "webcam:"
OURS: Final = "streamtoon"  # label of the virtual camera that doctor has people make
VIRTUAL: Final = (OURS, "obs virtual camera")
SYSFS: Final = "sys/class/video4linux"
CODING: Final = Colour("bt601")  # what OpenCV's I420 is: limited range
PROBED: Final = 6  # numbers to try where the system does not tell names
RETRY: Final = (0.25, 4.0)  # seconds until the first attempt to get a camera back, and at most between two
FROZEN: Final = 2.0  # seconds of the very same picture, to the bit, or of none, after which a camera counts as lost
MISSES: Final = 5  # reads that fail in a row: one alone is a damaged picture
QUERYCAP: Final = 0x80685600  # VIDIOC_QUERYCAP of linux/videodev2.h
CAPTURE: Final = 0x00000001 | 0x00001000  # V4L2_CAP_VIDEO_CAPTURE, V4L2_CAP_VIDEO_CAPTURE_MPLANE


class Capture(Protocol):
    """What is used of ``cv2.VideoCapture``."""

    def isOpened(self) -> bool: ...  # noqa: N802, D102 - OpenCV's name

    def read(self) -> tuple[bool, U8 | None]: ...  # noqa: D102

    def set(self, prop: int, value: float) -> bool: ...  # noqa: D102

    def get(self, prop: int) -> float: ...  # noqa: D102

    def release(self) -> None: ...  # noqa: D102


Opener = Callable[[int, int], Capture]  # (number, cv2.CAP_...)


def capture(index: int, backend: int) -> Capture:
    """``cv2.VideoCapture``, silent where it fails: we say it ourselves, once."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        return cv2.VideoCapture(index, backend)  # type: ignore[return-value] # the stubs know no (False, None)
    finally:
        cv2.utils.logging.setLogLevel(level)


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera that is plugged in.

    index  its number: N of /dev/videoN, OpenCV's elsewhere
    name   as the system calls it; "camera N" where it does not tell
    path   of its device, "" where there is none
    """

    index: int
    name: str
    path: str = ""

    def __str__(self) -> str:
        return f"{self.index} ({self.name})"


def cameras(system: Path = Path("/"), opener: Opener = capture) -> list[Camera]:
    """The cameras there are, virtual ones left out. Off Linux each number is opened to see: slow, and lights go on.

    system  where sys/ and dev/ are
    """
    if sys.platform.startswith("linux"):
        return [camera for camera, folder in devices(system) if _is_camera(camera, folder, system)]
    found = []
    for index in range(PROBED):
        probe = opener(index, cv2.CAP_ANY)
        opened = probe.isOpened()
        probe.release()
        if not opened:
            break
        found.append(Camera(index, f"camera {index}"))
    return found


def devices(system: Path = Path("/")) -> list[tuple[Camera, Path]]:
    """Everything Linux has a /dev/videoN for, real or virtual, by number; each with its folder in sysfs."""
    found = []
    for folder in (system / SYSFS).glob("video*"):
        number = folder.name.removeprefix("video")
        try:
            name = (folder / "name").read_text(encoding="utf-8", errors="replace").strip()
        except OSError:  # unplugged meanwhile
            continue
        if number.isdigit():
            found.append((Camera(int(number), name or folder.name, f"/dev/{folder.name}"), folder))
    return sorted(found, key=lambda pair: pair[0].index)


def is_loopback(folder: Path) -> bool:
    """Whether a device's folder in sysfs is v4l2loopback's: no other driver lets openers be limited there."""
    return (folder / "max_openers").exists()


def _is_camera(camera: Camera, folder: Path, system: Path) -> bool:
    if is_loopback(folder) or camera.name.casefold().startswith(VIRTUAL):
        return False
    can = _capabilities(system / camera.path[1:])
    if can is not None:
        return bool(can & CAPTURE)
    index = folder / "index"  # which of its driver's nodes it is: those after the first carry metadata
    return not index.exists() or index.read_text().strip() == "0"


def _capabilities(device: Path) -> int | None:
    """V4L2_CAP_... flags of a device node, None where it cannot be asked."""
    import fcntl

    answer = bytearray(104)  # struct v4l2_capability
    try:
        node = os.open(device, os.O_RDONLY | os.O_NONBLOCK)
        try:
            fcntl.ioctl(node, QUERYCAP, answer)
        finally:
            os.close(node)
    except OSError:
        return None
    whole, own = struct.unpack_from("=II", answer, 84)
    return int(own if whole & 0x80000000 else whole)  # V4L2_CAP_DEVICE_CAPS: this node's own are told too


def choose(target: str, system: Path = Path("/"), opener: Opener = capture) -> Camera:
    """The camera that ``target`` names. Raises UsageError where there is none such, SourceError where there is none."""
    wanted = target.removeprefix(SCHEME).strip()
    linux = sys.platform.startswith("linux")
    if wanted.isdecimal() and not linux:
        return Camera(int(wanted), f"camera {wanted}")
    found = cameras(system, opener)
    for camera in found:
        if wanted in ("", str(camera.index), camera.path) or wanted.casefold() == camera.name.casefold():
            return camera
    for camera in found:
        if not wanted.isdecimal() and wanted.casefold() in camera.name.casefold():
            return camera
    if linux and wanted.startswith("/dev/"):  # a virtual camera of somebody else's, by its full name only
        for camera, _ in devices(system):
            if camera.path == wanted and not camera.name.casefold().startswith(OURS):
                return camera
    if not found:
        raise SourceError(f"cannot read {target}: no camera is plugged in; plug one in, or give a film instead")
    raise UsageError(f"cannot read {target}: no such camera; choose one of {', '.join(map(str, found))}")


class Webcam:
    """An open camera. ``open`` makes one; ``frames`` may be called once.

    camera        which one
    size, fps     what it really gives: width and height in px, pictures a second as it says (0: it does not say)
    lost          whether it is gone at the moment and being waited for
    notices       what it gives other than asked, when it went and came back, one line each
    count, damage None: nobody knows how long a camera runs
    """

    def __init__(
        self, camera: Camera, size: tuple[int, int], fps: float, *, stop: threading.Event, opener: Opener,
        clock: Callable[[], float], say: Callable[[str], None], system: Path,
    ) -> None:  # fmt: skip
        self.camera, self.size, self.fps = camera, size, fps
        self.lost = False
        self.notices: list[str] = []
        self.count = self.damage = None
        self._asked = (size, fps)
        self._stop, self._opener, self._clock, self._say, self._system = stop, opener, clock, say, system
        self._last: U8 | None = None  # the newest picture, while one like it would be a frozen one
        self._misses = 0
        self._came = self._seen = clock()  # when a picture came last, and when a new one did or was hoped for
        self._capture = self._open()
        if self._capture is None:
            where = camera.path or f"camera {camera.index}"
            raise SourceError(
                f"cannot read {camera.name}: {where} does not open; close the program that uses it, or allow its use"
            )

    def frames(self) -> Iterator[Frame]:
        """Each picture as it comes, in yuv420p, until ``stop``; nothing comes while the camera is lost.

        ``seconds`` is what ``clock`` showed when it came. Its size may change on the way.
        """
        index = 0
        delay = RETRY[0]
        try:
            while not self._stop.is_set():
                image = self._read()
                if image is not None:
                    delay = RETRY[0]
                    yield Frame(planes(image), "yuv420p", index, to_fraction(self._came), CODING)
                    index += 1
                elif self._capture is None:
                    if self._stop.wait(delay):
                        return
                    delay = min(2 * delay, RETRY[1])
                    self._capture = self._open()
        finally:
            self.close()

    def close(self) -> None:
        """Let the camera go."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> Capture | None:
        """The camera again, wherever it is now; None where it is not."""
        linux = sys.platform.startswith("linux")
        if linux:
            os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "2")  # seconds; 10 would hold up every end
            same = [c for c, _ in devices(self._system) if c.name == self.camera.name]
            if not same:
                return None
            self.camera = self.camera if self.camera in same else same[0]
        try:
            opened = self._opener(self.camera.index, cv2.CAP_V4L2 if linux else cv2.CAP_ANY)
            if not opened.isOpened():
                opened.release()
                return None
            (width, height), fps = self._asked
            # without MJPG first, USB cameras offer large pictures at a few a second only
            opened.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
            opened.set(cv2.CAP_PROP_FRAME_WIDTH, width)
            opened.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
            opened.set(cv2.CAP_PROP_FPS, fps)
            real = (round(opened.get(cv2.CAP_PROP_FRAME_WIDTH)), round(opened.get(cv2.CAP_PROP_FRAME_HEIGHT)))
            self._now_gives(real, opened.get(cv2.CAP_PROP_FPS))
        except (cv2.error, OSError):
            return None
        self._misses, self._seen = 0, self._clock()
        return opened

    def _now_gives(self, size: tuple[int, int], fps: float) -> None:
        if (size, fps) == (self.size, self.fps):
            return
        self.size, self.fps = size, fps
        (width, height), rate = self._asked
        pace = f" at {fps:g} a second" if fps > 0 else ""
        asked = f"{width}x{height} at {rate:g} was asked for"
        self._tell(f"{self.camera.name} gives {size[0]}x{size[1]} px{pace}; {asked}")

    def _read(self) -> U8 | None:
        """The next picture, (h, w, 3) BGR; None where none came, or the same one as before for too long."""
        if self._capture is None:
            return None
        try:
            good, image = self._capture.read()
        except (cv2.error, OSError):
            self._lose("it failed")
            return None
        now = self._clock()
        if not good or image is None or image.ndim != 3 or min(image.shape[:2]) < 2:
            self._misses += 1
            if self._misses >= MISSES or now - self._seen > FROZEN:
                self._last = None
                self._lose("it gives no pictures; is it still plugged in?")
            return None
        self._misses = 0
        if self._last is not None and same(image, self._last):
            if now - self._seen > FROZEN:
                self._lose("its picture is frozen")
            self._came = now
            return None if self.lost else image
        self._last, self._seen, self._came = image, now, now
        if self.lost:
            self.lost = False
            self._tell(f"{self.camera.name} is back")
        height, width = image.shape[:2]
        self._now_gives((width, height), self.fps)
        return image

    def _lose(self, why: str) -> None:
        self.close()
        if not self.lost:
            self.lost = True
            self._tell(f"{self.camera.name} is lost: {why}; it is waited for")

    def _tell(self, text: str) -> None:
        self.notices.append(text)
        self._say(text)


def same(one: U8, other: U8) -> bool:
    """Whether two pictures are one, to the bit; a few samples settle it for a camera that lives."""
    few = np.s_[::64, ::64]
    return one.shape == other.shape and np.array_equal(one[few], other[few]) and np.array_equal(one, other)


def planes(image: U8) -> tuple[U8, ...]:
    """(h, w, 3) BGR as yuv420p planes of CODING; an odd last row or column is left out."""
    h, w = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
    samples = np.asarray(cv2.cvtColor(image[:h, :w], cv2.COLOR_BGR2YUV_I420), np.uint8).reshape(-1)
    y, u, v = np.split(samples, (h * w, h * w * 5 // 4))
    return y.reshape(h, w), u.reshape(h // 2, w // 2), v.reshape(h // 2, w // 2)


def open(  # noqa: A001 - as in ``av.open``
    target: str,
    *,
    size: tuple[int, int] = (1280, 720),
    fps: float = 30,
    stop: threading.Event | None = None,
    opener: Opener = capture,
    clock: Callable[[], float] = time.monotonic,
    say: Callable[[str], None] = lambda _: None,
    system: Path = Path("/"),
) -> Webcam:
    """Open a camera.

    target     webcam:, webcam:NUMBER, webcam:/dev/videoN or webcam:PART-OF-THE-NAME
    size, fps  asked of it: width and height in px, pictures a second
    stop       ends ``frames``, out of a wait too
    opener     makes a Capture
    clock      seconds that never go back: the frames' own clock
    say        is told each notice when it comes up; from the thread that reads
    system     where sys/ and dev/ are

    Raises UsageError for a camera that is not there, SourceError where there is none or it does not open.
    """
    camera = choose(target, system, opener)
    return Webcam(camera, size, fps, stop=stop or threading.Event(), opener=opener, clock=clock, say=say, system=system)


def read(
    target: str,
    *,
    size: tuple[int, int] = (1280, 720),
    fps: float = 30,
    stop: threading.Event | None = None,
    opener: Opener = capture,
) -> Iterator[Frame]:
    """Frames of a camera until ``stop`` is set; arguments and errors are those of ``open``, at once."""
    return open(target, size=size, fps=fps, stop=stop, opener=opener).frames()
