"""A call that is recorded: the moving portrait before ``Live``, and an eye for the camera's face in what left.

The engine is scripted; sources, detectors, guard, flow and senders are the real ones.
"""

import itertools
import threading
import time
from fractions import Fraction

import cv2
import numpy as np

from streamtoon.contracts import check_output
from streamtoon.image.planes import from_rgb
from streamtoon.pipeline.toon import Toon
from streamtoon.privacy.output_gate import OutputGate
from streamtoon.sources import portrait as source
from streamtoon.types import Colour, Frame
from streamtoon.workflows.live import Live

SIZE = (480, 270)
FPS = 30
CLIP = list(source.read(f"portrait:90@{SIZE[0]}x{SIZE[1]}"))
SMALL = list(source.read("portrait:30@320x180"))
FACE = (
    0.3,
    0.52,
    0.4375,
    0.5625,
)  # top, bottom, left, right in parts of the picture: forehead to mouth, however it sways


class Ink:
    """Draws every crop as its negative, over everything; ``fault(count, drawn)`` may spoil it."""

    name, device = "ink", "none"

    def __init__(self, fault=lambda _count, drawn: drawn):
        self.fault = fault
        self.count = 0
        self.closed = False

    def __call__(self, crops):
        self.count += 1
        alpha = np.full((*crops.shape[:3], 1), 255, np.uint8)
        return self.fault(self.count, np.concatenate([255 - crops, alpha], axis=3))

    def close(self):
        self.closed = True


class Recorder:
    """A sink that keeps what left, and when."""

    def __init__(self):
        self.sent = []

    def __enter__(self):
        def send(drawn):
            check_output(drawn)
            self.sent.append((time.monotonic(), drawn))

        return send

    def __exit__(self, *_):
        pass


def paced(frames, fps=FPS):
    start = time.monotonic()
    for i, frame in enumerate(frames):
        time.sleep(max(0, start + i / fps - time.monotonic()))
        yield Frame(frame.planes, frame.layout, i, Fraction(i, FPS), frame.colour)


def run(style, frames, engine=None, *, during=None, blank=CLIP[0], **options):
    """Run live over ``frames``; the pictures that left by the first sink, and the loop."""
    recorder, said = Recorder(), []
    toon = Toon(style, engine or Ink(), private=True, **options)
    live = Live(iter(frames), toon, OutputGate(blank, style.paper), [recorder], fps=FPS, on_fault=said.append)
    live.said = said
    if during is not None:
        threading.Thread(target=during, args=(live,), daemon=True).start()
    live.run()
    return [drawn for _, drawn in recorder.sent], live


def over_the_face(luma):
    """The part of a picture that is face in every frame of the moving portrait, (h, w)."""
    h, w = luma.shape
    top, bottom, left, right = (round(part * side) for part, side in zip(FACE, (h, h, w, w), strict=True))
    return luma[top:bottom, left:right].astype(int)


def shows_the_camera(luma, camera=CLIP + SMALL):
    """Whether a picture, (h, w) uint8, is over the face like any of the camera's own of its size."""
    own = [f.planes[0] for f in camera if f.planes[0].shape == luma.shape]
    assert own, "a picture of a size that no camera had"
    part = over_the_face(luma)
    return min(np.abs(part - over_the_face(one)).mean() for one in own) < 12


def check(pictures):
    """Every picture that left: none is the camera's over the face."""
    assert pictures
    assert not any(shows_the_camera(p.planes[0]) for p in pictures)
    assert {p.state for p in pictures} <= {"drawn", "held", "card"}


def states(pictures):
    return [state for state, _ in itertools.groupby(p.state for p in pictures)]


def subsequence(wanted, found):
    """Whether ``wanted`` happened in this order. A busy machine may show the card in between: that is safe as well."""
    rest = iter(found)
    return all(state in rest for state in wanted)


class People:
    """A picture of the portrait at several places, (x, y, side) px each, before a grey wall; cut off at its border."""

    def __init__(self, places, size=SIZE):
        image = np.full((size[1], size[0], 3), 130, np.uint8)
        self.places = places
        for x, y, side in places:
            at = np.array([[side / 512, 0, x], [0, side / 512, y]])
            cv2.warpAffine(source.picture(), at, size, image, cv2.INTER_AREA, cv2.BORDER_TRANSPARENT)
        planes = tuple(np.ascontiguousarray(p) for p in from_rgb(image, "yuv420p", Colour("bt709")))
        self.frame = Frame(planes, "yuv420p", 0, Fraction(0), Colour("bt709"))

    def shown(self, drawn):
        """Numbers of the places at which ``drawn`` is the camera's picture over the face, as far as that is in it."""
        luma, own = (p.planes[0] for p in (drawn, self.frame))
        found = []
        for number, (x, y, side) in enumerate(self.places):
            left, right, top, bottom = (
                round(part * side / 512 + start) for part, start in ((185, x), (263, x), (70, y), (155, y))
            )
            face = np.s_[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
            if own[face].size and np.abs(luma[face].astype(int) - own[face]).mean() < 12:
                found.append(number)
        return found
