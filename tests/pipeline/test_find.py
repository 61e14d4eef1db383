"""The detectors on the portrait, whose place in the frame is known exactly."""

import cv2
import numpy as np
import pytest

from streamtoon.image.boxes import overlap
from streamtoon.pipeline.crop import crop, square, view
from streamtoon.pipeline.find import Finder, distinct
from streamtoon.pipeline.landmarks import Landmarks
from streamtoon.sources import portrait as source
from streamtoon.style_folder import Style
from streamtoon.types import Face

EYES = np.array([(203.0, 101.0), (250.0, 101.0)])  # in the portrait, by eye, px


@pytest.fixture(scope="module")
def finder():
    with Finder() as one:
        yield one


def test_keypoints_follow_the_known_motion(finder, moved):
    for frame in moved:
        (face,) = finder(frame)
        affine = source.motion(frame.index, 640, 360)
        truth = EYES @ affine[:, :2].T + affine[:, 2]
        assert np.linalg.norm(face.keypoints[:2] - truth, axis=1).max() < 0.12 * (face.box[2] - face.box[0])


def test_small_faces_fall_to_the_full_range_detector(portrait, still):
    scene = np.full((720, 1280, 3), 120, np.uint8)
    small = cv2.resize(portrait, (230, 230), interpolation=cv2.INTER_AREA)  # a face of about 50 px, 4 % of the width
    scene[200:430, 300:530] = small
    scene[300:530, 900:1130] = small
    with Finder() as finder:
        faces = finder(still(scene))
    assert len(faces) == 2
    assert all(face.box[2] - face.box[0] < 90 for face in faces)


def test_a_large_and_a_small_face_are_both_found(portrait, still):
    scene = np.full((720, 1280, 3), 120, np.uint8)
    scene[:, :720] = cv2.resize(portrait, (720, 720))
    scene[250:480, 1000:1230] = cv2.resize(portrait, (230, 230), interpolation=cv2.INTER_AREA)
    with Finder() as finder:
        assert [len(finder(still(scene, i))) for i in range(8)] == [2] * 8  # also between two looks


@pytest.mark.parametrize("in_parts", [False, True])
def test_who_comes_in_beside_a_known_face_is_found_by_the_next_looks(in_parts, portrait, still):
    scene = np.full((720, 1280, 3), 120, np.uint8)
    scene[:, :720] = cv2.resize(portrait, (720, 720))
    both = scene.copy()
    both[250:480, 1000:1230] = cv2.resize(portrait, (230, 230), interpolation=cv2.INTER_AREA)
    with Finder(look=3, in_parts=in_parts) as finder:
        assert [len(finder(still(scene, i))) for i in range(3)] == [1, 1, 1]
        seen = [len(finder(still(both, i))) for i in range(3, 12)]
    first = seen.index(2)
    assert first <= (5 if in_parts else 2)
    assert set(seen[first:]) == {2}


def test_nothing_is_found_in_nothing(finder, still):
    assert finder(still(np.full((360, 640, 3), 128, np.uint8))) == []


def test_distinct_keeps_the_earlier_of_two_boxes():
    def face(x, score):
        return Face(np.array([x, 0, x + 10, 10], np.float32), np.full((6, 2), x + 5, np.float32), score)

    first, double, other = face(0, 0.6), face(1, 0.9), face(50, 0.5)
    assert distinct([first, double, other]) == [first, other]
    assert overlap(first.box, other.box) == 0


def test_landmarks_lie_on_the_face(finder, portrait, still):
    frame = still(portrait)
    (face,) = finder(frame)
    style = Style("x", None, None, "")
    cut = crop(frame, square(face, style.margin, 256), 256)
    points = Landmarks()(cut.image, style.margin)
    eyes = face.keypoints[:2] @ cut.to_crop[:, :2].T + cut.to_crop[:, 2]
    assert np.linalg.norm(points[[33, 133]].mean(axis=0) - eyes[0]) < 8  # the corners of the right eye
    assert np.linalg.norm(points[[362, 263]].mean(axis=0) - eyes[1]) < 8
    hull = Landmarks().hull(cut.image, style.margin)
    assert hull[128, 128] == 255
    assert hull[:, :20].max() == 0


def test_a_face_without_a_mesh_is_covered_whole():
    assert Landmarks().hull(np.full((256, 256, 3), 128, np.uint8), 2.2).min() == 255


def test_nothing_is_said_on_stderr(capfd, moved):
    with Finder() as finder:
        finder(moved[0])
        assert view(moved[0]).shape == (360, 640, 3)
    assert capfd.readouterr().err == ""
