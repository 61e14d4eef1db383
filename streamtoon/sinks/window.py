"""``window:`` - a preview on this computer's screen. What is written over the picture here goes nowhere else.

OpenCV's windows belong to one thread, which on macOS has to be the main one: whoever makes a Window shows it, asks for
its keys and closes it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import cv2
import numpy as np

from foundation.environment import environment
from streamtoon.contracts import check_output
from streamtoon.errors import SinkError
from streamtoon.image.letterbox import letterbox, pack
from streamtoon.types import U8, OutputFrame

MAX_SIZE: Final = (960, 720)  # px: more would cost more than it shows
KEY_MEANINGS: Final = {"n": "next", "c": "card", " ": "card", "m": "mirror", "q": "quit", "\x1b": "quit"}
PASSTHROUGH_KEY: Final = "p"
PASSTHROUGH: Final = "passthrough-held"
FIRST_REPEAT_S: Final = 0.7  # in which a held key repeats at first,
NEXT_REPEAT_S: Final = 0.3  # and then; a key let go is found out so much later
HOLD_STROKES: Final = 3  # that make a hold: somebody who taps twice does not mean it
GREEN: Final = (64, 160, 32)  # BGR
RED: Final = (48, 32, 208)
WHITE: Final = (255, 255, 255)
# OpenCV's wheels bring no other platform, and Qt ends the process over one it has not
QT_PLATFORM: Final = {"QT_QPA_PLATFORM": "xcb"}
FONT: Final = cv2.FONT_HERSHEY_SIMPLEX


class Hold:
    """Whether a key is held down, told from nothing but its repeats."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._strokes = 0
        self._newest = -1e9

    def stroke(self) -> None:
        """The key came."""
        now = self._clock()
        self._strokes = self._strokes + 1 if now - self._newest <= self._gap else 1
        self._newest = now

    @property
    def held(self) -> bool:
        """Whether it still is."""
        return self._strokes >= HOLD_STROKES and self._clock() - self._newest <= self._gap

    @property
    def _gap(self) -> float:
        return FIRST_REPEAT_S if self._strokes < 2 else NEXT_REPEAT_S


class Window:
    """A window. It opens with the first picture; closing it is as good as the key for "quit".

    thread  which one owns it: the one that made it
    closed  whether somebody has closed it

    Raises SinkError where there is no screen.
    """

    def __init__(self, title: str = "streamtoon", *, clock: Callable[[], float] = time.monotonic) -> None:
        why = no_screen()
        if why:
            raise SinkError(f"cannot open a window: {why}; run it on a desktop, or leave the preview out")
        _keep_events()
        self.title = title
        self.closed = False
        self._hold = Hold(clock)
        self._keys: deque[str] = deque(maxlen=8)
        self._size: tuple[int, int] | None = None
        self.thread = threading.get_ident()

    def show(
        self,
        drawn: OutputFrame,
        lines: Sequence[str] = (),
        safe: bool | None = None,  # noqa: FBT001 - read beside what it stands for: show(drawn, lines, safe)
        *,
        mirror: bool = False,
    ) -> None:
        """Show ``drawn`` and take up the keys that came.

        lines   written over it: frames a second, latency, drops, engine, device
        safe    the mark over it: True for SAFE in green, False for PASSTHROUGH in red, None for none
        mirror  whether the picture, not the writing, is shown as in a mirror

        Raises TypeError for anything but an OutputFrame, SinkError where the window cannot be opened.
        """
        check_output(drawn)
        if self.closed:
            return
        self._same_thread()
        if self._size is None:
            self._size = self._open(drawn)
        cv2.imshow(self.title, painted(drawn, self._size, lines, safe=safe, mirror=mirror))
        code = cv2.pollKey()
        if code >= 0 and code & 0xFF == ord(PASSTHROUGH_KEY):
            self._hold.stroke()
        elif code >= 0 and (key := KEY_MEANINGS.get(chr(code & 0xFF).lower())):
            self._keys.append(key)
        try:
            self.closed = cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) < 1
        except cv2.error:  # so Qt says that it was the last one
            self.closed = True

    def key(self) -> str | None:
        """What is asked for: "next", "card", "mirror", "quit", or None; each once.

        "passthrough-held" comes as long as its key is held down, so it has to be asked for with every picture.
        """
        if self.closed:
            return "quit"
        if self._keys:
            return self._keys.popleft()
        return PASSTHROUGH if self._hold.held else None

    def close(self) -> None:
        """Close the window, if it was ever opened."""
        if self._size is not None and not self.closed:
            self._same_thread()
            cv2.destroyWindow(self.title)
            cv2.pollKey()  # nothing happens before events are looked at
        self.closed = True

    def _open(self, drawn: OutputFrame) -> tuple[int, int]:
        scale = min(1.0, MAX_SIZE[0] / drawn.width, MAX_SIZE[1] / drawn.height)
        size = (max(2, round(drawn.width * scale / 2) * 2), max(2, round(drawn.height * scale / 2) * 2))
        try:
            with environment(QT_PLATFORM if sys.platform.startswith("linux") else {}):  # which Qt reads here, once
                cv2.namedWindow(self.title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
            cv2.resizeWindow(self.title, *size)
        except cv2.error as error:  # a build without windows
            raise SinkError(f"cannot open a window: {error.err or error}; leave the preview out") from None
        return size

    def _same_thread(self) -> None:
        if threading.get_ident() != self.thread:  # Qt would wait for the other thread for ever
            raise RuntimeError("a Window is shown and closed by the thread that made it")


def painted(
    drawn: OutputFrame,
    size: tuple[int, int],
    lines: Sequence[str] = (),
    *,
    safe: bool | None = None,
    mirror: bool = False,
) -> U8:
    """(h, w, 3) BGR of ``drawn`` in ``size``, with what ``Window.show`` writes over it; ``drawn`` stays as it is."""
    sheet = np.empty((size[1] * 3 // 2, size[0]), np.uint8)
    pack(letterbox(drawn, size), sheet)
    image = cv2.cvtColor(sheet, cv2.COLOR_YUV2BGR_I420)
    if mirror:
        image = cv2.flip(image, 1)
    unit = max(0.5, size[1] / 900)  # scale of the font, whose capitals are 22 px high
    step, left = round(36 * unit), round(14 * unit)
    if lines:
        dark = image[: step * len(lines) + left]
        dark[:] = dark // 2
        for row, line in enumerate(lines, 1):
            _write(image, line, (left, step * row), unit, WHITE)
    if safe is not None:
        word, colour = ("SAFE", GREEN) if safe else ("PASSTHROUGH", RED)
        (width, height), _ = cv2.getTextSize(word, FONT, unit, 1)
        x, y = size[0] - width - 3 * left, size[1] - height - 3 * left
        cv2.rectangle(image, (x, y), (size[0] - left, size[1] - left), colour, -1)
        _write(image, word, (x + left, y + left + height), unit, WHITE)
        if not safe:
            cv2.rectangle(image, (0, 0), (size[0] - 1, size[1] - 1), RED, max(4, left))
    return np.asarray(image, np.uint8)


def _write(image: np.ndarray, text: str, at: tuple[int, int], unit: float, colour: tuple[int, int, int]) -> None:
    plain = text.encode("ascii", "replace").decode()  # the font has no more
    cv2.putText(image, plain, at, FONT, unit, colour, 1, cv2.LINE_AA)


def no_screen() -> str:
    """Why no window can be opened, "" where one can. Without a screen Qt does not raise: it ends the process."""
    if not sys.platform.startswith("linux"):
        return ""
    if not os.environ.get("DISPLAY"):
        return "there is no screen here (DISPLAY is not set)"
    try:
        x11 = ctypes.CDLL("libX11.so.6")
    except OSError:  # then nobody knows before it is tried
        return ""
    x11.XOpenDisplay.restype = ctypes.c_void_p
    display = x11.XOpenDisplay(None)
    if not display:
        return f"the screen {os.environ['DISPLAY']} does not answer, or does not let us in"
    x11.XCloseDisplay(ctypes.c_void_p(display))
    return ""


def _keep_events() -> None:
    """Load the system's libX11-xcb before OpenCV loads its own.

    The one in OpenCV's wheels is older than the libX11 it meets and tells it at the wrong place in its memory that Qt
    reads the events. Xlib then takes some of them away: one window in four stayed blank here, and keys got lost.
    """
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError):  # then there is nothing better
            ctypes.CDLL("libX11-xcb.so.1", mode=ctypes.RTLD_GLOBAL)


def open_preview(target: str) -> Window:
    """The preview, to be used in this thread alone; ``target`` is ``window:``. Raises SinkError without a screen."""
    del target
    return Window()
