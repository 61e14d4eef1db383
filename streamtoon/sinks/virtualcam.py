"""``virtualcam:`` - a camera that other programs can choose, by way of pyvirtualcam.

``virtualcam:`` takes v4l2loopback's device on Linux and whichever is installed elsewhere; ``virtualcam:/dev/video10``
and ``virtualcam:NAME`` take that one. Never is a device written to that was not asked for.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import cv2
import numpy as np

from streamtoon.errors import SinkError, UsageError
from streamtoon.image.letterbox import CALLS, letterbox, pack
from streamtoon.image.planes import to_rgb
from streamtoon.sinks import Send, check
from streamtoon.sources.webcam import OURS, devices, is_loopback
from streamtoon.types import U8, OutputFrame

SCHEME: Final = "virtualcam:"
MODULE: Final = "sys/module/v4l2loopback"
LOAD: Final = f"sudo modprobe v4l2loopback devices=1 video_nr=10 card_label={OURS} exclusive_caps=1"
RELOAD: Final = f"sudo modprobe -r v4l2loopback && {LOAD}"
INSTALL: Final = "sudo apt install v4l2loopback-dkms"
JOIN: Final = "sudo usermod -aG video $USER"
PIP: Final = 'pip install "streamtoon[live]"'
ELSEWHERE: Final = "install OBS Studio and start its virtual camera once"


@dataclass(frozen=True, slots=True)
class Loopback:
    """A device of v4l2loopback's.

    path       as programs open it
    label      as programs show it
    exclusive  whether it shows itself as a camera and nothing else: browsers and Zoom list no other
    writable   whether we may write to it
    """

    path: str
    label: str
    exclusive: bool
    writable: bool

    def __str__(self) -> str:
        return f"{self.path} ({self.label})"


def loopbacks(system: Path = Path("/")) -> list[Loopback]:
    """v4l2loopback's devices, by number; ``system`` is where sys/ and dev/ are."""
    found = [camera for camera, folder in devices(system) if is_loopback(folder)]
    flags, numbers = (_parameter(system, name) for name in ("exclusive_caps", "video_nr"))
    made = []
    for place, device in enumerate(found):
        # the flags lie in the order the devices were made in
        at = numbers.index(str(device.index)) if str(device.index) in numbers else place
        exclusive = flags[at] in ("Y", "1") if at < len(flags) else True  # not told
        node = system / device.path[1:]
        made.append(Loopback(device.path, device.name, exclusive, os.access(node, os.R_OK | os.W_OK)))
    return made


def _parameter(system: Path, name: str) -> list[str]:
    """What v4l2loopback was loaded with, an entry a device; empty where it does not tell."""
    try:
        return (system / MODULE / "parameters" / name).read_text(encoding="ascii").strip().split(",")
    except OSError:
        return []


def _device(target: str, system: Path) -> tuple[str | None, list[str]]:
    """Which device, None for whichever is installed; and what is not as it should be.

    Raises SinkError where there is none, or none that may be written to.
    """
    wanted = target.removeprefix(SCHEME).strip()
    if not sys.platform.startswith("linux"):
        return wanted or None, []
    found = loopbacks(system)
    if not found:
        loaded = (system / MODULE).exists()
        why = "v4l2loopback has made no device" if loaded else "v4l2loopback is not loaded"
        raise SinkError(
            f"cannot write {target}: {why}; run: {RELOAD if loaded else LOAD}"
            + ("" if loaded else f" (where it is not installed: {INSTALL})")
        )
    chosen = _choose(target, wanted, found)
    if not chosen.writable:
        raise SinkError(f"cannot write {target}: no permission for {chosen.path}; run: {JOIN}, then log in again")
    if chosen.exclusive:
        return chosen.path, []
    hidden = f"{chosen.path} is loaded without exclusive_caps=1, so browsers and Zoom do not list it"
    if not wanted:
        raise SinkError(
            f"cannot write {target}: {hidden}; run: {RELOAD}, or name it to use it as it is: {SCHEME}{chosen.path}"
        )
    return chosen.path, [f"{hidden}; run: {RELOAD}"]


def _choose(target: str, wanted: str, found: list[Loopback]) -> Loopback:
    name = (wanted or OURS).casefold()
    for device in found:
        if wanted == device.path or name == device.label.casefold():
            return device
    parts = [d for d in found if name in d.label.casefold()] or (found if not wanted else [])
    if len(parts) == 1:
        return parts[0]
    names = ", ".join(map(str, found))
    if wanted and not parts:
        raise SinkError(f"cannot write {target}: it is no device of v4l2loopback's; choose one of {names}")
    raise SinkError(f"cannot write {target}: it may be any of {names}; name one: {SCHEME}{found[0].path}")


def _import() -> Any:
    try:
        import pyvirtualcam
    except ImportError:
        raise UsageError(f"a virtual camera needs pyvirtualcam, which is not installed; run: {PIP}") from None
    return pyvirtualcam


class VirtualCamera:
    """A virtual camera being fed; ``write`` makes one and says what its arguments mean.

    device   where it is written to, once it is open
    notices  what is not as it should be, one line each
    """

    def __init__(
        self, target: str, size: tuple[int, int], fps: float, *, mirror: bool, backend: str | None, system: Path
    ) -> None:
        self._pyvirtualcam = _import()
        self.target, self.size, self.fps, self.mirror = (
            target,
            (size[0] + size[0] % 2, size[1] + size[1] % 2),
            fps,
            mirror,
        )
        self.device, self.notices = _device(target, system) if backend is None else (_named(target), [])
        if self.size != size:
            self.notices.append(f"a virtual camera needs even sizes: {self.size[0]}x{self.size[1]} px")
        self._backend = backend
        self._sheet = np.zeros((self.size[1] * 3 // 2, self.size[0]), np.uint8)
        self._camera: Any = None

    def __enter__(self) -> Send:
        reasons: list[str] = []
        for fmt in (self._pyvirtualcam.PixelFormat.I420, self._pyvirtualcam.PixelFormat.RGB):
            try:
                self._camera = self._pyvirtualcam.Camera(
                    *self.size, self.fps, fmt=fmt, device=self.device, backend=self._backend
                )
            except (RuntimeError, ValueError, OSError) as error:
                reasons += [line for line in str(error).splitlines() if line not in reasons]
                continue
            self.device = self._camera.device
            return self.send
        fix = "close the program that writes to it" if sys.platform.startswith("linux") else ELSEWHERE
        raise SinkError(f"cannot write {self.target}: {' / '.join(reasons)}; {fix}")

    def send(self, drawn: OutputFrame) -> None:
        """Show ``drawn`` until the next. Raises TypeError for anything but a Drawn, SinkError where it fails."""
        check(drawn)
        planes = letterbox(drawn, self.size)
        if self.mirror:
            planes = tuple(np.asarray(cv2.flip(p, 1), np.uint8) for p in planes)
        try:
            self._camera.send(self._samples(planes))
        except (RuntimeError, OSError) as error:
            raise SinkError(f"cannot write {self.target}: {error}; is the virtual camera still there?") from None

    def _samples(self, planes: tuple[U8, ...]) -> U8:
        if self._camera.fmt == self._pyvirtualcam.PixelFormat.RGB:
            return to_rgb(planes, "yuv420p", CALLS)
        pack(planes, self._sheet)
        return self._sheet

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._camera.close()


def _named(target: str) -> str | None:
    return target.removeprefix(SCHEME).strip() or None


def write(
    target: str,
    *,
    size: tuple[int, int],
    fps: float,
    mirror: bool = False,
    backend: str | None = None,
    system: Path = Path("/"),
) -> VirtualCamera:
    """A sink that is a camera to other programs.

    target   virtualcam:, virtualcam:/dev/videoN, or virtualcam:NAME (part of the label; elsewhere than on Linux all)
    size     width and height in px; an odd one is made even
    fps      pictures a second that will be sent, about
    mirror   whether left and right are exchanged
    backend  one of pyvirtualcam's, by name, whose devices are not looked at first; None for the system's own
    system   where sys/ and dev/ are

    Raises UsageError where pyvirtualcam is missing, SinkError where there is no such device or it must not be written
    to; entering and sending raise SinkError.
    """
    return VirtualCamera(target, size, fps, mirror=mirror, backend=backend, system=system)
