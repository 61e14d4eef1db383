"""Pictures in a live sink's own size and colours."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from streamtoon.image.letterbox import CALLS, letterbox, pack
from streamtoon.image.planes import from_rgb, to_rgb
from streamtoon.privacy.guard import Guard
from streamtoon.types import Colour, Frame


def drawn(image, layout="yuv420p", coding=CALLS):
    frame = Frame(from_rgb(image, layout, coding), layout, 0, Fraction(0), coding)
    return Guard(private=False)(frame, None, 0)


def rgb(planes):
    return to_rgb(planes, "yuv420p", CALLS).astype(int)


@pytest.fixture
def soft(portrait):
    return cv2.resize(portrait, (320, 240), interpolation=cv2.INTER_AREA)


def test_what_fits_is_not_touched(soft):
    picture = drawn(soft)
    assert letterbox(picture, (320, 240)) is picture.planes


@pytest.mark.parametrize(
    ("layout", "coding"),
    [("rgb24", CALLS), ("yuv420p", Colour("bt709")), ("yuv420p", Colour("bt601", full_range=True))],
)
def test_colours_are_brought_over(soft, layout, coding):
    planes = letterbox(drawn(soft, layout, coding), (320, 240))
    assert abs(rgb(planes) - rgb(drawn(soft).planes)).mean() < 1.0
    untold = to_rgb(from_rgb(soft, "yuv420p", coding), "yuv420p", CALLS).astype(int)
    assert layout == "rgb24" or abs(untold - rgb(drawn(soft).planes)).mean() > 2  # it does make a difference


@pytest.mark.parametrize(
    ("size", "box"),
    [((640, 360), (80, 0, 560, 360)), ((240, 320), (0, 70, 240, 250)), ((160, 120), (0, 0, 160, 120))],
)
def test_another_size_is_scaled_to_fit_with_black_beside_it(soft, size, box):
    planes = letterbox(drawn(soft), size)
    assert [p.shape for p in planes] == [size[::-1], *[(size[1] // 2, size[0] // 2)] * 2]
    x0, y0, x1, y1 = box
    inside = cv2.resize(soft, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA if x1 - x0 < 320 else cv2.INTER_LINEAR)
    assert abs(rgb(planes)[y0:y1, x0:x1] - inside).mean() < 3
    outside = np.ones(size[::-1], bool)
    outside[y0:y1, x0:x1] = False
    assert (planes[0][outside] == 16).all()
    assert all((p[outside[::2, ::2]] == 128).all() for p in planes[1:])


def test_odd_and_tiny_ones_fit_too():
    noise = np.random.default_rng(0).integers(0, 256, (33, 1, 3), np.uint8)
    for layout in ("rgb24", "yuv420p"):
        assert [p.shape for p in letterbox(drawn(noise, layout), (64, 36))] == [(36, 64), (18, 32), (18, 32)]


def test_packed_as_opencv_reads_it(soft):
    sheet = np.empty((360, 320), np.uint8)
    pack(letterbox(drawn(soft), (320, 240)), sheet)
    assert abs(cv2.cvtColor(sheet, cv2.COLOR_YUV2RGB_I420).astype(int) - soft).mean() < 2.5
