"""Crops hold still while heads move a little, and go with them when they move on."""

import math

import cv2
import numpy as np
import pytest

from streamtoon.pipeline.crop import square
from streamtoon.pipeline.framing import MAX_LOG_ZOOM, MAX_ROTATION, MAX_SHIFT, CropStabilizer
from streamtoon.types import Face

SIZE, MARGIN = 256, 2.5
POINTS = np.array([[-25, -10], [25, -10], [0, 15], [0, 40], [-50, 0], [50, 0]])


def face(x, y, *, zoom=1.0, turn=0.0, track=0):
    c, s = zoom * math.cos(turn), zoom * math.sin(turn)
    points = (POINTS @ np.array([[c, s], [-s, c]]) + (x, y)).astype(np.float32)
    return Face(np.array([x - 50, y - 50, x + 50, y + 50], np.float32), points, 1.0, track)


def off_centre(affine, head):
    """Where the middle of ``head``'s own square is in the crop, in parts of a side from the middle."""
    middle = cv2.invertAffineTransform(square(head, MARGIN, SIZE)) @ ((SIZE - 1) / 2, (SIZE - 1) / 2, 1)
    return ((affine @ (*middle, 1)) - (SIZE - 1) / 2) / SIZE


def test_a_trembling_head_leaves_its_crop_where_it_is():
    framing = CropStabilizer(MARGIN, SIZE)
    first = framing([face(300, 200)])[0]
    rng = np.random.default_rng(0)
    for _ in range(20):
        x, y, zoom, turn = rng.normal((300, 200, 1, 0), (2, 2, 0.01, 0.02))
        head = face(x, y, zoom=zoom, turn=turn)
        assert np.allclose(framing([head])[0], first)


@pytest.mark.parametrize("step", [2, 9, 70])
def test_a_head_that_moves_on_takes_its_crop_along(step):
    framing = CropStabilizer(MARGIN, SIZE)
    for x in range(300, 900, step):
        head = face(x, 200)
        affine = framing([head])[0]
        assert np.hypot(*off_centre(affine, head)) <= MAX_SHIFT + 1e-6
    assert affine[0, 2] < framing([face(300, 200, track=7)])[0][0, 2]


def test_tilt_and_distance_stay_within_reach():
    framing = CropStabilizer(MARGIN, SIZE)
    for i in range(60):
        head = face(300, 200, zoom=1 + i / 40, turn=3.0 + i / 30)  # through half a turn, where angles jump
        affine, own = framing([head])[0], square(head, MARGIN, SIZE)
        relative = affine[:, :2] @ np.linalg.inv(own[:, :2])
        assert abs(math.log(math.hypot(*relative[:, 0]))) <= MAX_LOG_ZOOM + 1e-6
        assert abs(math.atan2(relative[1, 0], relative[0, 0])) <= MAX_ROTATION + 1e-6


def test_each_face_has_its_own_and_a_face_that_left_is_forgotten():
    framing = CropStabilizer(MARGIN, SIZE)
    framing([face(300, 200, track=1), face(600, 200, track=2)])
    framing([face(600, 200, track=2)])
    back = face(305, 200, track=1)
    assert np.allclose(framing([back])[0], square(back, MARGIN, SIZE))


def test_leaving_the_dead_zone_moves_the_crop_once_not_every_frame():
    framing = CropStabilizer(MARGIN, SIZE)
    seen = {framing([face(300 + x / 4, 200)])[0].tobytes() for x in range(200)}  # half a face to the right
    assert 2 <= len(seen) <= 8
