"""Cutting out and pasting back: geometry, colour, and what must not change."""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamtoon.image import colour
from streamtoon.image.planes import from_rgb, to_rgb
from streamtoon.pipeline.blend import PasteLayer, blend
from streamtoon.pipeline.crop import crop, sample, square, tiles, view
from streamtoon.pipeline.matte import feather
from streamtoon.types import Colour, Face, Frame, Style

STYLE = Style("x", Path(), Path("x.onnx"), "")
WHITE = (255, 255, 255)


def face_at(centre, size, degrees=0.0):
    """A face whose eyes are ``size`` / 2 apart, turned clockwise by ``degrees``."""
    points = np.array([(-0.25, -0.2), (0.25, -0.2), (0, 0.1), (0, 0.3), (-0.5, 0), (0.5, 0)]) * size
    a = np.radians(degrees)
    points = points @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]]) + centre
    box = np.concatenate([np.array(centre) - size / 2, np.array(centre) + size / 2])
    return Face(box.astype(np.float32), points.astype(np.float32), 0.9)


def yuv(image, coding=Colour(), index=0):  # noqa: B008
    return Frame(
        tuple(np.ascontiguousarray(p) for p in from_rgb(image, "yuv420p", coding)),
        "yuv420p",
        index,
        Fraction(index, 30),
        coding,
    )


def ramp(w, h):
    x, y = np.meshgrid(np.linspace(40, 200, w), np.linspace(60, 180, h))
    return np.stack([x, y, (x + y) / 2], axis=2).round().astype(np.uint8)


@pytest.mark.parametrize("coding", [Colour(m, f) for m in ("bt601", "bt709", "bt2020") for f in (False, True)])
def test_colour_matrices_are_inverse_and_exact_on_known_colours(coding):
    there, back = colour.to_yuv(coding), colour.to_rgb(coding)
    red = there @ np.array([255, 0, 0, 1])
    assert np.allclose(back @ np.append(red, 1), [255, 0, 0], atol=1e-2)
    white = there @ np.array([255, 255, 255, 1])
    assert np.allclose(white, [255 if coding.full_range else 235, 128, 128], atol=1e-3)
    assert np.isclose(red[2], 255.5 if coding.full_range else 240, atol=0.01)  # Cr of pure red is the top of its range


@pytest.mark.parametrize("degrees", [0, 25, -40, 180])
def test_square_takes_the_roll_out_and_keeps_the_scale(degrees):
    face = face_at((300, 200), 100, degrees)
    affine = square(face, 2.2, 256)
    points = face.keypoints @ affine[:, :2].T + affine[:, 2]
    right, left, _, mouth = points[:4]
    assert abs(right[1] - left[1]) < 0.01
    assert left[0] > right[0]
    assert mouth[1] > right[1]
    assert np.isclose(np.linalg.det(affine[:, :2]), (256 / 220) ** 2, rtol=1e-4)  # 2.2 face sizes of 100 px


def test_a_profile_keeps_its_size():
    front, side = face_at((300, 200), 100), face_at((300, 200), 100)
    side.keypoints[0, 0], side.keypoints[1, 0] = 298, 302  # the eyes fall together
    a, b = square(front, 2.2, 256), square(side, 2.2, 256)
    assert np.isclose(np.linalg.det(a[:, :2]), np.linalg.det(b[:, :2]), rtol=0.05)


@pytest.mark.parametrize("layout", ["rgb24", "yuv420p"])
@pytest.mark.parametrize("size", [60, 116.36, 400])  # enlarged, as it is, shrunk
def test_an_unchanged_crop_gives_the_frame_back(layout, size):
    image = ramp(640, 480)
    frame = yuv(image) if layout == "yuv420p" else Frame((image,), "rgb24", 0, Fraction(0))
    face = face_at((320, 240), size, 10)
    cut = crop(frame, square(face, STYLE.margin, 256), 256)
    full = np.full((256, 256), 255, np.uint8)
    mask = cv2.multiply(full, feather(256, 0.08), scale=1 / 255)
    planes = blend(frame, [PasteLayer(cut.image, mask, cut.to_crop)], "keep", WHITE)
    for before, after in zip(frame.planes, planes, strict=True):
        assert np.abs(before.astype(int) - after).max() <= 2
        assert np.abs(before.astype(int) - after).mean() < 0.5


@pytest.mark.parametrize("layout", ["rgb24", "yuv420p"])
def test_outside_the_rectangle_every_sample_is_the_inputs_own(layout):
    rng = np.random.default_rng(7)
    image = rng.integers(0, 256, (240, 320, 3), dtype=np.uint8)
    frame = yuv(image) if layout == "yuv420p" else Frame((image,), "rgb24", 0, Fraction(0))
    face = face_at((160, 120), 40, 15)
    affine = square(face, 2.2, 256)
    black = np.zeros((256, 256, 3), np.uint8)
    planes = blend(frame, [PasteLayer(black, feather(256, 0.08), affine)], "keep", WHITE)
    back = cv2.invertAffineTransform(affine)
    corners = back @ np.array([[0, 256, 0, 256], [0, 0, 256, 256], [1, 1, 1, 1.0]])
    low, high = corners.min(axis=1), corners.max(axis=1)
    for before, after in zip(frame.planes, planes, strict=True):
        step = frame.width // before.shape[1] if before.shape[1] != frame.width else 1
        outside = np.ones(before.shape[:2], bool)
        outside[int(low[1] / step) - 2 : int(high[1] / step) + 3, int(low[0] / step) - 2 : int(high[0] / step) + 3] = (
            False
        )
        assert np.array_equal(before[outside], after[outside])
    assert planes[0].min() <= 16  # and inside it was drawn


def test_where_alpha_is_zero_nothing_changes_inside_the_rectangle_either():
    frame = yuv(np.random.default_rng(3).integers(0, 256, (240, 320, 3), dtype=np.uint8))
    affine = square(face_at((160, 120), 60, 20), 2.2, 256)
    planes = blend(
        frame, [PasteLayer(np.zeros((256, 256, 3), np.uint8), np.zeros((256, 256), np.uint8), affine)], "keep", WHITE
    )
    assert all(np.array_equal(a, b) for a, b in zip(frame.planes, planes, strict=True))


def test_no_halo_black_on_black_stays_black():
    frame = Frame((np.zeros((240, 320, 3), np.uint8),), "rgb24", 0, Fraction(0))
    image = np.full((256, 256, 3), 255, np.uint8)
    image[40:216, 40:216] = 0  # white paper all around, but outside alpha
    alpha = np.zeros((256, 256), np.uint8)
    alpha[60:196, 60:196] = 255
    (plane,) = blend(frame, [PasteLayer(image, alpha, square(face_at((160, 120), 37, 33), 2.2, 256))], "keep", WHITE)
    assert plane.max() == 0


@pytest.mark.parametrize("size", [(321, 241), (320, 239), (1, 1)])
def test_a_drawing_covers_a_frame_of_odd_size_to_its_edges(size):
    frame = yuv(np.full((size[1], size[0], 3), 40, np.uint8))
    sheet = PasteLayer(np.full((256, 256, 3), 255, np.uint8), np.full((256, 256), 255, np.uint8), np.eye(2, 3) * 0.5)
    for plane, tone in zip(blend(frame, [sheet], "keep", WHITE), (235, 128, 128), strict=True):
        assert plane.min() == plane.max() == tone


def test_a_frames_planes_are_never_written():
    frame = yuv(ramp(320, 240))
    before = [p.copy() for p in frame.planes]
    for p in frame.planes:
        p.flags.writeable = False
    cut = crop(frame, square(face_at((160, 120), 60), STYLE.margin, 256), 256)
    for background in ("keep", "paper", "blur", "draw"):
        blend(frame, [PasteLayer(255 - cut.image, feather(256, 0.08), cut.to_crop)], background, WHITE)
    assert all(np.array_equal(a, b) for a, b in zip(before, frame.planes, strict=True))


def test_paper_replaces_everything_not_drawn():
    frame = yuv(ramp(320, 240), Colour("bt601"))
    planes = blend(frame, [], "paper", (250, 240, 230))
    rgb = to_rgb(planes, "yuv420p", frame.colour)
    assert np.abs(rgb.astype(int) - (250, 240, 230)).max() <= 2


def test_blur_leaves_no_detail():
    board = np.indices((480, 640)).sum(axis=0) // 12 % 2 * 255
    frame = yuv(np.repeat(board[:, :, None], 3, axis=2).astype(np.uint8))
    (y, _, _) = blend(frame, [], "blur", WHITE)
    assert y.std() < 0.05 * frame.planes[0].std()


def test_a_face_at_the_border_is_cut_with_the_border_repeated():
    frame = yuv(np.full((240, 320, 3), 90, np.uint8))
    cut = crop(frame, square(face_at((2, 2), 80), STYLE.margin, 256), 256)
    assert np.abs(cut.image.astype(int) - 90).max() <= 2
    planes = blend(frame, [PasteLayer(cut.image, feather(256, 0.08), cut.to_crop)], "keep", WHITE)
    assert planes[0].shape == (240, 320)


def test_a_crop_is_prefiltered():
    board = np.indices((1080, 1920)).sum(axis=0) % 2 * 255  # the finest pattern there is
    frame = yuv(np.repeat(board[:, :, None], 3, axis=2).astype(np.uint8))
    cut = crop(frame, square(face_at((960, 540), 460), STYLE.margin, 256), 256)
    assert cut.image.std() < 12


@pytest.mark.parametrize("size", [(1280, 720), (640, 480), (480, 853), (100, 100)])
def test_tiles_cover_the_frame_and_join_without_seams(size):
    frame = yuv(ramp(*size))
    pieces = tiles(frame, STYLE)
    drawings = [PasteLayer(c.image, feather(256, STYLE.feather), c.to_crop) for c in pieces]
    marked = Frame(tuple(np.zeros_like(p) for p in frame.planes), "yuv420p", 0, Fraction(0))
    planes = blend(marked, drawings, "keep", WHITE)
    assert np.abs(planes[0].astype(int) - frame.planes[0]).max() <= 4


def test_view_is_small_and_has_the_frames_colours():
    image = np.zeros((720, 1280, 3), np.uint8)
    image[:, :640] = (200, 40, 40)
    picture = view(yuv(image))
    assert 384 <= max(picture.shape) < 768
    assert np.abs(picture[90, 100].astype(int) - (200, 40, 40)).max() <= 3


def test_sample_is_exact_where_nothing_is_resampled():
    image = np.random.default_rng(1).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    frame = Frame((image,), "rgb24", 0, Fraction(0))
    shift = np.array([[1.0, 0, -20], [0, 1.0, -30]])
    assert np.array_equal(sample(frame, shift, 256), image[30:286, 20:276])
