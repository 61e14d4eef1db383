"""``webcam:`` - a camera, by number or by name; unplugging it, or a driver that hangs, is survived.

``webcam:`` is the first one, ``webcam:2`` and ``webcam:/dev/video2`` the one of that number, ``webcam:logi`` the one
with that in its name. Virtual cameras are not taken: they show what we write.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import cv2
import numpy as np

from foundation.environment import environment
from streamtoon.devices.cameras import V4L_TIMEOUT, Camera, Capture, Opener, capture, choose, list_devices
from streamtoon.errors import SourceError
from streamtoon.sources import LiveOptions
from streamtoon.sources.pacing import to_fraction
from streamtoon.types import U8, Colour, Frame

log = logging.getLogger(__name__)

CAMERA_COLOUR: Final = Colour("bt601")  # what OpenCV's I420 is: limited range
DEFAULT_SIZE: Final = (1280, 720)  # px, asked of a camera where the caller asks for none
RETRY_DELAYS_S: Final = (0.25, 4.0)  # until the first attempt to get a camera back, and at most between two
FROZEN_S: Final = 2.0  # of the very same picture, to the bit, or of none, after which a camera counts as lost
FAILED_READS: Final = 5  # in a row that make a camera lost: one alone is a damaged picture


class Webcam:
    """An open camera. ``open_live`` makes one; ``frames`` may be called once.

    camera        which one
    size, fps     what it really gives: width and height in px, pictures a second as it says (0: it does not say)
    lost          whether it is gone at the moment and being waited for
    notices       what it gives other than asked, when it went and came back, one line each
    rate          fps as a Fraction, None where it does not say
    count, damage None: nobody knows how long a camera runs
    """

    def __init__(self, camera: Camera, options: LiveOptions, opener: Opener, system: Path) -> None:
        self.camera, self.size, self.fps = camera, options.size or DEFAULT_SIZE, options.fps
        self.lost = False
        self.notices: list[str] = []
        self.count = self.damage = None
        self._asked = (self.size, self.fps)
        self._stop, self._clock = options.stop, options.clock
        self._opener, self._system = opener, system
        self._last: U8 | None = None  # the newest picture, while one like it would be a frozen one
        self._misses = 0
        self._waited = False  # whether OpenCV has waited for a picture before
        self._came = self._seen = self._clock()  # when a picture came last, and when a new one did or was hoped for
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
        delay = RETRY_DELAYS_S[0]
        try:
            while not self._stop.is_set():
                image = self._read()
                if image is not None:
                    delay = RETRY_DELAYS_S[0]
                    yield Frame(planes(image), "yuv420p", index, to_fraction(self._came), CAMERA_COLOUR)
                    index += 1
                elif self._capture is None:
                    if self._stop.wait(delay):
                        return
                    delay = min(2 * delay, RETRY_DELAYS_S[1])
                    self._capture = self._open()
        finally:
            self.close()

    @property
    def rate(self) -> Fraction | None:
        """Pictures a second, as the camera says."""
        return Fraction(self.fps).limit_denominator(1001) if self.fps > 0 else None

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
        if sys.platform.startswith("linux"):
            named_so = [c for c, _ in list_devices(self._system) if c.name == self.camera.name]
            if not named_so:
                return None
            self.camera = self.camera if self.camera in named_so else named_so[0]
        try:
            opened = self._opener(self.camera.index, self.camera.backend)
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
            # OpenCV looks at the variable once in a process, when it first waits for a picture
            with nullcontext() if self._waited else environment(V4L_TIMEOUT, unless_set=True):
                good, image = self._capture.read()
        except (cv2.error, OSError):
            self._lose("it failed")
            return None
        self._waited = True
        now = self._clock()
        if not good or image is None or image.ndim != 3 or min(image.shape[:2]) < 2:
            self._misses += 1
            if self._misses >= FAILED_READS or now - self._seen > FROZEN_S:
                self._last = None
                self._lose("it gives no pictures; is it still plugged in?")
            return None
        self._misses = 0
        if self._last is not None and same(image, self._last):
            if now - self._seen > FROZEN_S:
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
            self._tell(f"{self.camera.name} is lost: {why}; it is waited for", logging.WARNING)

    def _tell(self, text: str, level: int = logging.INFO) -> None:
        self.notices.append(text)
        log.log(level, "%s", text)


def same(one: U8, other: U8) -> bool:
    """Whether two pictures are one, to the bit; a few samples settle it for a camera that lives."""
    few = np.s_[::64, ::64]
    return one.shape == other.shape and np.array_equal(one[few], other[few]) and np.array_equal(one, other)


def planes(image: U8) -> tuple[U8, ...]:
    """(h, w, 3) BGR as yuv420p planes of CAMERA_COLOUR; an odd last row or column is left out."""
    h, w = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
    samples = np.asarray(cv2.cvtColor(image[:h, :w], cv2.COLOR_BGR2YUV_I420), np.uint8).reshape(-1)
    y, u, v = np.split(samples, (h * w, h * w * 5 // 4))
    return y.reshape(h, w), u.reshape(h // 2, w // 2), v.reshape(h // 2, w // 2)


def open_live(target: str, options: LiveOptions, *, opener: Opener = capture, system: Path = Path("/")) -> Webcam:
    """Open a camera.

    target   webcam:, webcam:NUMBER, webcam:/dev/videoN or webcam:PART-OF-THE-NAME
    options  size and fps are asked of it; ``clock`` is the frames' own
    opener   makes a Capture
    system   where sys/ and dev/ are

    Raises UsageError for a camera that is not there, SourceError where there is none or it does not open.
    """
    webcam = Webcam(choose(target, system, opener), options, opener, system)
    log.info("%s: %dx%d at %g fps", webcam.camera.name, *webcam.size, webcam.fps)
    return webcam
