"""Cameras of this machine: which there are, what they are called, and which one a target names.

Under Linux sysfs tells, without a device being switched on. Under Windows and macOS ``cv2-enumerate-cameras`` tells;
where it is not installed numbers are tried. Virtual cameras are left out: they show what we write.
"""

from __future__ import annotations

import importlib
import os
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import cv2

from foundation.environment import environment
from streamtoon.errors import SourceError, UsageError
from streamtoon.types import U8

SCHEME: Final = "webcam:"
OWN_LABEL: Final = "streamtoon"  # label of the virtual camera that doctor has people make
VIRTUAL_LABELS: Final = (OWN_LABEL, "obs virtual camera")
SYSFS_FOLDER: Final = "sys/class/video4linux"
PROBED_NUMBERS: Final = 6  # numbers to try where the system does not tell names
SYSTEM_BACKENDS: Final = {"linux": cv2.CAP_V4L2, "win32": cv2.CAP_MSMF, "darwin": cv2.CAP_AVFOUNDATION}
V4L_TIMEOUT: Final = {"OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT": "2"}  # seconds; OpenCV's 10 would hold up every end
VIDIOC_QUERYCAP: Final = 0x80685600  # linux/videodev2.h
V4L2_CAP_CAPTURE: Final = 0x00000001 | 0x00001000  # V4L2_CAP_VIDEO_CAPTURE, V4L2_CAP_VIDEO_CAPTURE_MPLANE
V4L2_CAP_DEVICE_CAPS: Final = 0x80000000  # the capabilities of this node alone are told too


class Capture(Protocol):
    """What is used of ``cv2.VideoCapture``."""

    def isOpened(self) -> bool: ...  # noqa: N802, D102 - OpenCV's name

    def read(self) -> tuple[bool, U8 | None]: ...  # noqa: D102

    def set(self, prop: int, value: float) -> bool: ...  # noqa: D102

    def get(self, prop: int) -> float: ...  # noqa: D102

    def release(self) -> None: ...  # noqa: D102


Opener = Callable[[int, int], Capture]  # (number, cv2.CAP_...)


def capture(index: int, backend: int) -> Capture:
    """``cv2.VideoCapture``; OpenCV's own messages are off while it opens, since the caller reports a failure."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        with environment(V4L_TIMEOUT, unless_set=True):
            return cv2.VideoCapture(index, backend)  # type: ignore[return-value] # the stubs know no (False, None)
    finally:
        cv2.utils.logging.setLogLevel(level)


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera that is plugged in.

    index    its number: N of /dev/videoN, OpenCV's elsewhere
    name     as the system calls it; "camera N" where it does not tell
    path     of its device under Linux, "" elsewhere
    backend  OpenCV's back end that counts it so, a cv2.CAP_... constant
    """

    index: int
    name: str
    path: str = ""
    backend: int = cv2.CAP_ANY

    def __str__(self) -> str:
        return f"{self.index} ({self.name})"


def list_cameras(system: Path = Path("/"), opener: Opener = capture) -> list[Camera]:
    """The cameras there are, virtual ones left out.

    Where no package tells their names, numbers are opened one after the other: slow, and lights go on.

    system  where sys/ and dev/ are
    opener  makes a Capture
    """
    if sys.platform.startswith("linux"):
        return [camera for camera, folder in list_devices(system) if _is_camera(camera, folder, system)]
    named = _named_by_package()
    return _probed(opener) if named is None else named


def _named_by_package() -> list[Camera] | None:
    """What ``cv2-enumerate-cameras`` lists; None where it is not installed or cannot list here."""
    backend = SYSTEM_BACKENDS.get(sys.platform)
    try:
        package = importlib.import_module("cv2_enumerate_cameras")
        found = [] if backend is None else package.enumerate_cameras(backend)
    except (ImportError, NotImplementedError, OSError, RuntimeError):
        return None
    if backend is None:
        return None
    cameras = [Camera(info.index, info.name or f"camera {info.index}", backend=backend) for info in found]
    return [camera for camera in cameras if not camera.name.casefold().startswith(VIRTUAL_LABELS)]


def _probed(opener: Opener) -> list[Camera]:
    found = []
    for index in range(PROBED_NUMBERS):
        probe = opener(index, cv2.CAP_ANY)
        opened = probe.isOpened()
        probe.release()
        if not opened:
            break
        found.append(Camera(index, f"camera {index}"))
    return found


def list_devices(system: Path = Path("/")) -> list[tuple[Camera, Path]]:
    """Everything Linux has a /dev/videoN for, real or virtual, by number; each with its folder in sysfs."""
    found = []
    for folder in (system / SYSFS_FOLDER).glob("video*"):
        number = folder.name.removeprefix("video")
        try:
            name = (folder / "name").read_text(encoding="utf-8", errors="replace").strip()
        except OSError:  # unplugged meanwhile
            continue
        if number.isdigit():
            camera = Camera(int(number), name or folder.name, f"/dev/{folder.name}", cv2.CAP_V4L2)
            found.append((camera, folder))
    return sorted(found, key=lambda pair: pair[0].index)


def is_loopback(folder: Path) -> bool:
    """Whether a device's folder in sysfs is v4l2loopback's: no other driver lets openers be limited there."""
    return (folder / "max_openers").exists()


def _is_camera(camera: Camera, folder: Path, system: Path) -> bool:
    if is_loopback(folder) or camera.name.casefold().startswith(VIRTUAL_LABELS):
        return False
    can = _capabilities(system / camera.path[1:])
    if can is not None:
        return bool(can & V4L2_CAP_CAPTURE)
    index = folder / "index"  # which of its driver's nodes it is: those after the first carry metadata
    return not index.exists() or index.read_text().strip() == "0"


def _capabilities(device: Path) -> int | None:
    """V4L2_CAP_... flags of a device node, None where it cannot be asked."""
    import fcntl

    answer = bytearray(104)  # struct v4l2_capability
    try:
        node = os.open(device, os.O_RDONLY | os.O_NONBLOCK)
        try:
            fcntl.ioctl(node, VIDIOC_QUERYCAP, answer)
        finally:
            os.close(node)
    except OSError:
        return None
    whole, own = struct.unpack_from("=II", answer, 84)
    return int(own if whole & V4L2_CAP_DEVICE_CAPS else whole)


def choose(target: str, system: Path = Path("/"), opener: Opener = capture) -> Camera:
    """The camera that ``target`` names: ``webcam:``, then nothing, a number, a device's path or a part of its name.

    Raises UsageError where there is none such, SourceError where there is no camera at all.
    """
    wanted = target.removeprefix(SCHEME).strip()
    linux = sys.platform.startswith("linux")
    if wanted.isdecimal() and not linux:
        return Camera(int(wanted), f"camera {wanted}")
    found = list_cameras(system, opener)
    chosen = _exactly(wanted, found) or _in_part(wanted, found)
    if chosen is None and linux and wanted.startswith("/dev/"):
        # a virtual camera of somebody else's, by its full name only
        others = [camera for camera, _ in list_devices(system) if not camera.name.casefold().startswith(OWN_LABEL)]
        chosen = next((camera for camera in others if camera.path == wanted), None)
    if chosen is not None:
        return chosen
    if not found:
        raise SourceError(f"cannot read {target}: no camera is plugged in; plug one in, or give a film instead")
    raise UsageError(f"cannot read {target}: no such camera; choose one of {', '.join(map(str, found))}")


def _exactly(wanted: str, found: list[Camera]) -> Camera | None:
    for camera in found:
        if wanted in ("", str(camera.index), camera.path) or wanted.casefold() == camera.name.casefold():
            return camera
    return None


def _in_part(wanted: str, found: list[Camera]) -> Camera | None:
    if wanted.isdecimal():
        return None
    return next((camera for camera in found if wanted.casefold() in camera.name.casefold()), None)
