"""The preview, on a screen of its own (Xvfb), with keys pressed by xdotool; each window in a process of its own."""

import contextlib
import os
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import ImageGrab

from streamtoon.privacy.guard import Guard
from streamtoon.sinks import window
from streamtoon.sinks.window import Hold, painted
from streamtoon.types import Frame

ROOT = Path(__file__).parent.parent.parent
LINES = ["29.9 fps  18 ms  0 dropped", "openvino on CPU"]
SETUP = """
import sys, threading, time
from fractions import Fraction
import numpy as np
from streamtoon.image.planes import from_rgb
from streamtoon.errors import SinkError
from streamtoon.privacy.guard import Guard
from streamtoon import sinks
from streamtoon.sinks import window
from streamtoon.sources import portrait
from streamtoon.types import Colour, Frame
def say(text):
    print(text, flush=True)
frame = next(portrait.read("portrait:1@640x360"))
drawn = Guard(private=False)(frame, None, 0)
"""
PREVIEW = (
    SETUP
    + """
preview = window.Window("streamtoon test")
held = False
end = time.monotonic() + 20
while time.monotonic() < end:
    preview.show(drawn, sys.argv[2:], safe=sys.argv[1] == "safe")
    key = preview.key()
    if key != ("passthrough-held" if held else None):
        held = key == "passthrough-held"
        say(key or "released")
    if key == "quit":
        break
    time.sleep(0.02)
preview.close()
say("closed")
"""
)
CLOSE = """
import ctypes
x11 = ctypes.CDLL("libX11.so.6")
class Message(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("serial", ctypes.c_ulong), ("send", ctypes.c_int),
                ("display", ctypes.c_void_p), ("window", ctypes.c_ulong), ("message", ctypes.c_ulong),
                ("format", ctypes.c_int), ("data", ctypes.c_long * 5), ("room", ctypes.c_long * 24)]
x11.XOpenDisplay.restype = ctypes.c_void_p
x11.XInternAtom.restype = ctypes.c_ulong
screen = ctypes.c_void_p(x11.XOpenDisplay(None))
protocols, delete = (x11.XInternAtom(screen, name, 0) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW"))
message = Message(33, 0, 1, screen, {window}, protocols, 32, (delete, 0, 0, 0, 0))
x11.XSendEvent(screen, ctypes.c_ulong({window}), 0, ctypes.c_long(0), ctypes.byref(message))
x11.XCloseDisplay(screen)
"""


@pytest.fixture
def drawn(portrait):
    frame = Frame((np.ascontiguousarray(portrait),), "rgb24", 0, Fraction(0))
    return Guard(private=False)(frame, None, 0)


def colours(image, colour):
    return np.count_nonzero((abs(image.astype(int) - colour) < 6).all(axis=2))


def test_what_is_written_over_it_stays_here(drawn):
    before = drawn.planes[0].copy()
    plain = painted(drawn, (512, 512))
    safe = painted(drawn, (512, 512), LINES, safe=True)
    loud = painted(drawn, (512, 512), LINES, safe=False)
    assert np.array_equal(drawn.planes[0], before)
    assert abs(plain.astype(int) - before[..., ::-1]).mean() < 2.5
    assert (colours(plain, window.GREEN), colours(plain, window.RED)) == (0, 0)
    assert colours(safe, window.GREEN) > 500 > colours(safe, window.RED)
    assert colours(loud, window.RED) > 4000 > colours(loud, window.GREEN)
    assert (loud[:4] == window.RED).all()  # all around
    assert (loud[:, -4:] == window.RED).all()
    assert not np.array_equal(safe[:40, :200], plain[:40, :200])
    assert np.array_equal(safe[100:400], plain[100:400])


def test_the_mirror_turns_the_picture_and_not_the_writing(drawn):
    plain, turned = (painted(drawn, (512, 512), LINES, safe=True, mirror=mirror) for mirror in (False, True))
    assert np.array_equal(turned[100:400], plain[100:400, ::-1])
    mark = (abs(plain.astype(int) - window.GREEN) < 6).all(axis=2)
    assert np.array_equal(mark, (abs(turned.astype(int) - window.GREEN) < 6).all(axis=2))


@pytest.mark.parametrize(
    ("strokes", "asked", "held"),
    [
        ([0], 0.1, False),
        ([0, 0.2], 0.3, False),  # twice, quickly
        ([0, 0.5, 0.53], 0.55, True),  # as keyboards repeat
        ([0, 0.5, 0.53, 0.56], 0.85, True),
        ([0, 0.5, 0.53, 0.56], 0.87, False),  # let go
        ([0, 0.8, 0.83], 0.85, False),
        ([0, 0.5, 0.9, 1.3], 1.35, False),  # tapped
        ([0, 0.5, 0.53, 2.0], 2.05, False),
        ([], 0, False),
    ],
)
def test_a_key_is_held(strokes, asked, held):
    now = [0.0]
    key = Hold(lambda: now[0])
    for now[0] in strokes:
        key.stroke()
    now[0] = asked
    assert key.held is held


@pytest.mark.parametrize(
    ("display", "why"), [(None, "DISPLAY is not set"), (":987", "the screen :987 does not answer")]
)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there always is a screen")
def test_no_screen_is_an_error_and_not_the_end_of_the_process(display, why):
    code = SETUP + "\ntry:\n    sinks.open_preview()\nexcept SinkError as error:\n    say(error)"
    env = {**environment(), "QT_QPA_PLATFORM": "wayland"}
    if display:
        env["DISPLAY"] = display
    run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert run.stdout.startswith("cannot open a window: ")
    assert why in run.stdout
    assert run.stdout.count("\n") == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere nothing is asked")
@pytest.mark.parametrize("platform", [None, "wayland"])
def test_asking_for_a_screen_changes_no_environment(monkeypatch, platform):
    if platform:
        monkeypatch.setenv("QT_QPA_PLATFORM", platform)
    else:
        monkeypatch.delenv("QT_QPA_PLATFORM", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)
    before = dict(os.environ)
    assert "DISPLAY" in window.no_screen()
    assert dict(os.environ) == before


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere nothing is set")
def test_the_platform_is_set_while_the_window_opens_and_no_longer(monkeypatch, drawn):
    seen = []
    monkeypatch.setenv("QT_QPA_PLATFORM", "wayland")
    monkeypatch.setattr(window, "no_screen", lambda: "")
    monkeypatch.setattr(window.cv2, "namedWindow", lambda *_: seen.append(os.environ["QT_QPA_PLATFORM"]))
    monkeypatch.setattr(window.cv2, "resizeWindow", lambda *_: seen.append(os.environ["QT_QPA_PLATFORM"]))
    window.Window()._open(drawn)
    assert seen == ["xcb", "wayland"]


def environment():
    return {**{k: v for k, v in os.environ.items() if k != "DISPLAY"}, "PYTHONPATH": str(ROOT)}


class App:
    """A process with a window."""

    def __init__(self, screen, code, *args):
        self.env = {**environment(), "DISPLAY": screen}
        self.screen = screen
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *args], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.id = self.xdotool("search", "--sync", "--onlyvisible", "--name", "streamtoon test").split()[0]
        self.xdotool("windowfocus", "--sync", self.id)

    def xdotool(self, *args):
        run = subprocess.run(["xdotool", *args], env=self.env, capture_output=True, text=True, check=True, timeout=15)
        return run.stdout

    def close(self):
        """What the cross in a window's frame does: xdotool cannot, and here is no window manager."""
        code = CLOSE.format(window=self.id)
        subprocess.run([sys.executable, "-c", code], env=self.env, check=True)

    def says(self):
        for line in self.process.stdout:
            if line.strip():
                return line.strip()
        raise AssertionError(self.process.stderr.read())

    def sees(self, wanted):
        """(h, w, 3) BGR of the whole screen as soon as ``wanted`` is true of it."""
        for _ in range(100):
            time.sleep(0.1)
            shot = ImageGrab.grab(xdisplay=self.screen).convert("RGB")
            image = cv2.cvtColor(np.asarray(shot), cv2.COLOR_RGB2BGR)
            if wanted(image):
                return image
        raise AssertionError("it is not on the screen within ten seconds")

    def end(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def app(screen):
    with contextlib.ExitStack() as stack:

        def start(*args):
            one = App(screen, *args)
            stack.callback(one.end)
            return one

        yield start


def test_the_window_and_its_keys(app):
    one = app(PREVIEW, "safe", *LINES)
    seen = one.sees(lambda image: colours(image, window.GREEN) > 500)
    if keep := os.environ.get("STREAMTOON_SCREENSHOT"):  # for who wants to look at it
        cv2.imwrite(keep, seen)
    assert colours(seen, window.RED) < 50
    for key, word in (("n", "next"), ("c", "card"), ("space", "card"), ("m", "mirror"), ("N", "next")):
        one.xdotool("key", key)
        assert one.says() == word
    one.xdotool("key", "x", "Escape")
    assert one.says() == "quit"
    assert one.says() == "closed"


def test_passthrough_needs_holding(app):
    one = app(PREVIEW, "passthrough")
    one.sees(lambda image: colours(image, window.RED) > 4000)
    one.xdotool("key", "p")
    time.sleep(0.1)
    one.xdotool("key", "p")  # twice is no hold
    time.sleep(0.8)
    one.xdotool("keydown", "p")
    try:
        assert one.says() == "passthrough-held"
    finally:
        one.xdotool("keyup", "p")
    assert one.says() == "released"
    one.xdotool("key", "q")
    assert one.says() == "quit"


def test_closing_the_window_is_quitting(app):
    one = app(PREVIEW, "safe")
    one.close()
    assert one.says() == "quit"
    assert one.says() == "closed"
