"""``virtualcam:`` - a camera that other programs can choose, by way of pyvirtualcam.

``virtualcam:`` takes v4l2loopback's device on Linux and whichever is installed elsewhere; ``virtualcam:/dev/video10``
and ``virtualcam:NAME`` take that one. Never is a device written to that was not asked for.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from streamtoon.contracts import Send, check_output
from streamtoon.devices.loopback import OBS_ADVICE, PACKAGE_COMMAND, SCHEME, find_device
from streamtoon.errors import SinkError, UsageError
from streamtoon.image.letterbox import CALLS, letterbox, pack
from streamtoon.image.planes import to_rgb
from streamtoon.sinks import LiveOptions
from streamtoon.types import U8, OutputFrame


def _import() -> Any:
    try:
        import pyvirtualcam
    except ImportError:
        raise UsageError(
            f"a virtual camera needs pyvirtualcam, which is not installed; run: {PACKAGE_COMMAND}"
        ) from None
    return pyvirtualcam


class VirtualCamera:
    """A virtual camera being fed; ``open_live`` makes one and says what its arguments mean.

    device   where it is written to, once it is open
    notices  what is not as it should be, one line each
    """

    def __init__(self, target: str, size: tuple[int, int], fps: float, *, backend: str | None, system: Path) -> None:
        self._pyvirtualcam = _import()
        self.target, self.fps = target, fps
        self.size = (size[0] + size[0] % 2, size[1] + size[1] % 2)
        if backend is None:
            self.device, self.notices = find_device(target, system)
        else:
            self.device, self.notices = target.removeprefix(SCHEME).strip() or None, []
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
        fix = "close the program that writes to it" if sys.platform.startswith("linux") else OBS_ADVICE
        raise SinkError(f"cannot write {self.target}: {' / '.join(reasons)}; {fix}")

    def send(self, drawn: OutputFrame) -> None:
        """Show ``drawn`` until the next. Raises TypeError for anything but an OutputFrame, SinkError where it fails."""
        check_output(drawn)
        planes = letterbox(drawn, self.size)
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


def open_live(
    target: str, options: LiveOptions, *, backend: str | None = None, system: Path = Path("/")
) -> VirtualCamera:
    """A sink that is a camera to other programs.

    target   virtualcam:, virtualcam:/dev/videoN, or virtualcam:NAME (part of the label; elsewhere than on Linux all)
    options  of an odd size the next even one is taken
    backend  one of pyvirtualcam's, by name, whose devices are not looked at first; None for the system's own
    system   where sys/ and dev/ are

    Raises UsageError where pyvirtualcam is missing, SinkError where there is no such device or it must not be written
    to; entering and sending raise SinkError.
    """
    return VirtualCamera(target, options.size, options.fps, backend=backend, system=system)
