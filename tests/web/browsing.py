"""A real server and a real browser: the command itself, Debian's chromium, a camera that shows the portrait."""

import base64
import io
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from streamtoon.sources import portrait

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", "--disable-gpu",
    "--allow-loopback-in-peer-connection", "--disable-features=WebRtcHideLocalIpsWithMdns", "--disable-quic",
    "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
PATIENCE = 60_000  # ms: a busy machine takes half of it


def camera(path, count=60, size=(640, 480), fps=30):
    """A film for chromium's fake camera: the moving portrait, there and back again, as it loops."""
    frames = list(portrait.read(f"portrait:{count}@{size[0]}x{size[1]}"))
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{size[0]} H{size[1]} F{fps}:1 Ip A1:1 C420jpeg\n".encode())
        for frame in frames + frames[::-1]:
            file.write(b"FRAME\n" + b"".join(p.tobytes() for p in frame.planes))
    return path


class Site:
    """A running ``streamtoon web``: its address, what it has said so far, and the folder it keeps files in."""

    def __init__(self, *flags):
        self._place = tempfile.TemporaryDirectory(prefix="tests-web-")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "streamtoon", "web", "--port", "0", *flags],
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": self._place.name},
        )  # fmt: skip
        self.said = []
        ready = threading.Event()

        def listen():
            for line in self.process.stderr:
                self.said.append(line.rstrip())
                if "streamtoon is at" in line:
                    self.address = line.split()[3]
                    ready.set()
            ready.set()

        threading.Thread(target=listen, daemon=True).start()
        ready.wait(90)
        assert hasattr(self, "address"), self.said
        (self.root,) = Path(self._place.name).glob("streamtoon-web-*")

    def files(self):
        return [p for p in self.root.rglob("*") if p.is_file()]

    def close(self):
        if self.process.poll() is not None:
            return
        self.process.terminate()
        self.process.wait(timeout=20)
        assert not self.root.exists()  # nothing stays behind
        self._place.cleanup()


def wait_for(true, patience=30.0):
    """Wait until ``true`` gives something true."""
    end = time.monotonic() + patience
    while not true() and time.monotonic() < end:
        time.sleep(0.05)
    assert true()


def family(root):
    """``root`` and every process below it."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, ValueError):
            continue
    found, grown = {root}, True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found |= more
        grown = bool(more)
    return found


@contextmanager
def chromium(playwright, film):
    """A browser whose camera shows ``film``."""
    browser = playwright.chromium.launch(
        executable_path=CHROMIUM, headless=True, args=[*FLAGS, f"--use-file-for-fake-video-capture={film}"]
    )
    try:
        yield browser
    finally:
        browser.close()


def tab(page, name):
    page.get_by_role("tab", name=name, exact=True).click()


def start(page):
    """Press Start and wait for pictures; once more where no connection came about, as a person would."""
    for patient in (True, False):
        page.click("#live-start")
        page.wait_for_selector('.stage:not([data-state="idle"])', timeout=PATIENCE)
        page.wait_for_selector('.stage:not([data-state="wait"])', timeout=PATIENCE)
        if page.locator(".stage").get_attribute("data-state") == "live":
            break
        why = page.inner_text("#live-notice")
        assert patient, why
        assert "connection" in why
    page.wait_for_function("document.getElementById('live-video').videoWidth > 0", timeout=PATIENCE)
    page.wait_for_function("document.getElementById('live-state').textContent === 'drawn'", timeout=PATIENCE)


def told(page, words):
    """Wait for a notice with these words in it; all of it."""
    notice = page.locator(".toast-body", has_text=words).first
    notice.wait_for(timeout=2 * PATIENCE)
    return notice.inner_text()


def shown(page):
    """What the page's video element shows now, (h, w, 3) uint8 RGB."""
    data = page.evaluate(
        """() => { const v = document.getElementById('live-video'), c = document.createElement('canvas');
        c.width = v.videoWidth; c.height = v.videoHeight; c.getContext('2d').drawImage(v, 0, 0);
        return c.toDataURL('image/png'); }"""
    )
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data.split(",")[1]))).convert("RGB"))


def new_pictures(page, count):
    """Wait until the video element has presented ``count`` new pictures; how many a second there were."""
    return page.evaluate(
        """([count, patience]) => new Promise((done, fail) => { let n = 0, from;
        const v = document.getElementById('live-video');
        setTimeout(() => fail(new Error(`${n} new pictures in ${patience} ms`)), patience);
        const next = (now) => { from ??= now; if (n++ < count) v.requestVideoFrameCallback(next);
          else done(1000 * count / (now - from)); };
        v.requestVideoFrameCallback(next); })""",
        [count, 2 * PATIENCE],
    )


@contextmanager
def visitor(browser, address, **options):
    """The page in a browser context of its own; what the browser complains about fails the test in the end."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True, **options)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.complaints = []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.goto(address, wait_until="domcontentloaded")
    page.wait_for_selector("#live-start")
    try:
        yield page
        assert page.complaints == []
    finally:
        context.close()
