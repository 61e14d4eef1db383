import numpy as np
import pytest

from streamtoon import sources
from streamtoon.errors import UsageError
from streamtoon.image.planes import to_rgb
from streamtoon.sources import portrait


def test_the_ground_truth_is_exact():
    """A mark put into the portrait is found where the motion says."""
    import cv2

    frames = list(portrait.read("portrait:40@640x360"))
    first = to_rgb(frames[0].planes, "yuv420p", frames[0].colour)
    last = to_rgb(frames[39].planes, "yuv420p", frames[39].colour)
    a, b = (np.vstack([portrait.motion(i, 640, 360), [0, 0, 1]]) for i in (0, 39))
    flow = (b @ np.linalg.inv(a))[:2]
    moved = cv2.warpAffine(first, flow, (640, 360), flags=cv2.INTER_CUBIC)
    inside = cv2.warpAffine(np.full((360, 640), 255, np.uint8), flow, (640, 360)) == 255
    moving = np.abs(first.astype(int) - last)[inside].mean()
    assert np.abs(moved.astype(int) - last)[inside].mean() < 0.2 * moving


def test_frames_are_as_asked():
    with sources.open("portrait:5@322x181") as source:
        frames = list(source.frames())
        assert source.rate == 30
    assert [f.index for f in frames] == [0, 1, 2, 3, 4]
    assert (frames[0].width, frames[0].height, frames[0].layout) == (322, 181, "yuv420p")
    assert frames[3].seconds * 30 == 3


@pytest.mark.parametrize("target", ["portrait:0@64x64", "portrait:5", "portrait:5@4x4", "portrait:x"])
def test_a_bad_target_is_refused(target):
    with pytest.raises(UsageError, match="portrait"):
        sources.open(target)
