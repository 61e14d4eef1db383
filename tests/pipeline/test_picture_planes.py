"""Whole pictures on their way to the network and back."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from whole_pictures import Copy, Negative

from engines import EngineError
from streamtoon import style_folder as styles
from streamtoon.errors import UsageError
from streamtoon.image.planes import from_rgb
from streamtoon.pipeline.picture import drawn_size, network_input
from streamtoon.pipeline.toon import Toon
from streamtoon.types import Colour, Frame


@pytest.fixture
def picture_style(style_folder):
    return styles.load(str(style_folder(output="yuv", scale=2, region="frame")))


def frame(image, colour=None, **changes):
    planes = tuple(np.ascontiguousarray(p) for p in from_rgb(image, "yuv420p", colour or Colour()))
    return Frame(planes, "yuv420p", 0, Fraction(0), colour or Colour(), **changes)


def ramp(h, w):
    """Smooth, in colour, (h, w, 3) uint8 RGB."""
    y, x = np.mgrid[:h, :w] / (np.array([h, w])[:, None, None])
    return np.ascontiguousarray((40 + 170 * np.dstack([x, y, 1 - (x + y) / 2])).round().astype(np.uint8))


@pytest.mark.parametrize(
    ("frame_size", "drawn"),
    [
        ((1280, 720), (1280, 720)),
        ((720, 1280), (720, 1280)),
        ((1920, 1080), (1280, 720)),
        ((3840, 2160), (1280, 720)),
        ((640, 480), (960, 720)),
        ((320, 180), (480, 272)),
        ((853, 479), (1280, 720)),
        ((16, 16), (64, 64)),
        ((2000, 100), (3008, 144)),
        ((16000, 12000), (1104, 832)),
        ((100_000, 16), (14400, 64)),
    ],
)
def test_the_working_size(frame_size, drawn):
    assert drawn_size(*frame_size, 720) == drawn


def test_a_picture_too_narrow_to_draw_is_told_in_a_line(picture_style, still):
    with Toon(picture_style, Negative()) as toon, pytest.raises(UsageError, match=r"has 15x300 px") as told:
        toon(still(np.zeros((300, 15, 3), np.uint8)))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("matrix", ["bt601", "bt709", "bt2020"])
@pytest.mark.parametrize("full_range", [True, False])
@pytest.mark.parametrize("size", [(720, 1280), (360, 640), (1080, 1920), (481, 853), (90, 1280), (18, 17)])
def test_what_is_not_changed_comes_back(picture_style, matrix, full_range, size):
    """Whatever a film's matrix and range are, though it is taken for BT.601 and nothing tells the network."""
    coloured = frame(ramp(*size), Colour(matrix, full_range))
    with Toon(picture_style, Copy()) as toon:
        drawn = toon(coloured)
    assert (drawn.state, drawn.colour) == ("drawn", coloured.colour)
    for was, now in zip(coloured.planes, drawn.planes, strict=True):
        away = np.abs(was.astype(int) - now)
        assert away.mean() < 0.7 + 200 / max(size) / min(size)
        assert away.max() <= 3 + 170 * 4 / min(size)  # where it is enlarged, steps of one level are sharpened


@pytest.mark.parametrize("size", [(512, 512), (301, 401), (17, 340), (2000, 1500)])
def test_a_still_comes_back_in_rgb(picture_style, still, size):
    photo = still(ramp(*size))
    with Toon(picture_style, Copy()) as toon:
        drawn = toon(photo)
    assert drawn.layout == "rgb24"
    assert np.abs(drawn.planes[0].astype(int) - photo.planes[0]).mean() < 0.8 + 40 / min(size)


def test_where_sizes_match_planes_are_the_engines_own(picture_style):
    made = []

    def keep(_count, drawn):
        made.append(drawn)
        return drawn

    with Toon(picture_style, Copy(keep)) as toon:
        drawn = toon(frame(ramp(720, 1280), Colour(full_range=True)))
    assert all(np.shares_memory(plane, made[0]) for plane in drawn.planes)


def test_the_network_is_given_half_the_size(picture_style, moved):
    with Toon(picture_style, Negative()) as toon:
        toon(moved[0])
        assert toon.engine.shapes[0] == (1, 272, 480, 3)


def test_areas_are_averaged(still):
    fine = np.zeros((720, 1280, 3), np.uint8)
    fine[::2] = 200
    assert np.abs(network_input(still(fine), (640, 360)).astype(int) - 100).max() <= 1
    planes = (fine[..., 0], np.full((360, 640), 128, np.uint8), np.full((360, 640), 128, np.uint8))
    film = Frame(planes, "yuv420p", 0, Fraction(0), Colour(full_range=True))
    assert np.abs(network_input(film, (640, 360)).astype(int) - 100).max() <= 1


@pytest.mark.parametrize("answer", [np.zeros((1, 816, 960), np.uint8), np.zeros((1, 408, 960), np.float32)])
def test_an_engine_that_breaks_the_contract_is_an_error(picture_style, moved, answer):
    with Toon(picture_style, Copy(lambda *_: answer[:, ::2] if answer.dtype == np.uint8 else answer)) as toon:
        with pytest.raises(EngineError, match="copy gave"):
            toon(moved[0])
        assert not toon.engine.closed
    assert toon.engine.closed


def test_a_style_of_scale_1(style_folder, moved):
    style = styles.load(str(style_folder(output="yuv", scale=1, region="frame")))
    with Toon(style, Copy(scale=1)) as toon:
        drawn = toon(moved[0])
    assert toon.engine.shapes[0] == (1, 544, 960, 3)
    assert np.abs(drawn.planes[0].astype(int) - moved[0].planes[0]).mean() < 2


def test_faces_are_counted_in_a_frame_that_is_drawn_whole(picture_style, moved, still):
    with Toon(picture_style, Negative()) as toon:
        assert [toon(one).faces for one in moved[:4]] == [1, 1, 1, 1]
        assert (toon(replace(moved[4], shot=1)).faces, toon(still(ramp(64, 64))).faces) == (1, 0)


def test_what_is_enlarged_stays_crisp(picture_style):
    """Interpolated bilinearly, a step of one px would be two of half its height at twice the size."""

    def edge(_count, drawn):
        drawn[:, :720, :640], drawn[:, :720, 640:] = 60, 200
        return drawn

    with Toon(picture_style, Copy(edge)) as toon:
        luma = toon(frame(ramp(1440, 2560), Colour(full_range=True))).planes[0]
    assert np.abs(np.diff(luma[700].astype(int))).max() > 0.7 * 140
