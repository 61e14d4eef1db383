"""What belongs to the process is as it was when a toon is done."""

import cv2
from calls import Ink

from streamtoon.pipeline.toon import Toon


def test_opencv_has_its_threads_again(style):
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    try:
        first, second = Toon(style, Ink()), Toon(style, Ink())
        assert cv2.getNumThreads() == 1
        first.close()
        assert cv2.getNumThreads() == 1  # one is still at work
        second.close()
        assert cv2.getNumThreads() == 3
        second.close()
        assert cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(before)
