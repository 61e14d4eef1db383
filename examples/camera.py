"""Draw a camera in a window of OpenCV's: ``python examples/camera.py [NUMBER | portrait:FRAMES]``; q ends it.

Without a number a fake camera shows the embedded portrait, moving.
"""

import sys
import time
from fractions import Fraction

import cv2
import numpy as np

import streamtoon
from streamtoon.sources import portrait


class FakeCamera:
    """The portrait, swaying; has the two methods of ``cv2.VideoCapture`` that are used here."""

    def __init__(self, frames: int) -> None:
        self.left, self.picture = frames, cv2.cvtColor(portrait.picture(), cv2.COLOR_RGB2BGR)

    def read(self) -> tuple[bool, np.ndarray]:
        """Whether there is a frame, and the frame, (h, w, 3) uint8 BGR."""
        self.left -= 1
        sway = np.array([[1, 0, 15 * np.sin(self.left / 8)], [0, 1, 0]])
        return self.left >= 0, cv2.warpAffine(self.picture, sway, (512, 512), borderMode=cv2.BORDER_REPLICATE)

    def release(self) -> None:
        """Nothing is held."""


name = sys.argv[1] if len(sys.argv) > 1 else "portrait:300"
kind, _, frames = name.partition(":")
camera = FakeCamera(int(frames)) if kind == "portrait" else cv2.VideoCapture(int(name))
shown = 0
with streamtoon.make_toon("line", workload="live", private=True) as toon:
    while (got := camera.read())[0]:
        rgb = np.asarray(cv2.cvtColor(got[1], cv2.COLOR_BGR2RGB), np.uint8)  # (h, w, 3)
        output = toon(streamtoon.Frame((rgb,), "rgb24", shown, Fraction(time.monotonic())))
        cv2.imshow("streamtoon", cv2.cvtColor(output.planes[0], cv2.COLOR_RGB2BGR))
        shown += 1
        if cv2.waitKey(1) == ord("q"):
            break
camera.release()
cv2.destroyAllWindows()
print(f"{shown} frames, the last one {output.state if shown else 'never came'}")
