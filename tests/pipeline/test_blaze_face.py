"""BlazeFace finds what MediaPipe's FaceDetector finds with the same networks."""

import numpy as np
import pytest

from streamtoon.pipeline import blaze_face
from streamtoon.pipeline.blaze_face import FULL_RANGE, SHORT_RANGE, BlazeFace

# what MediaPipe 1.2.2 finds in the portrait, px: score, box in whole px, then eyes, nose, mouth, ears
MEDIAPIPE = {
    SHORT_RANGE: (
        0.92289, [177, 83, 273, 179],
        [[202.0, 104.758], [246.323, 109.263], [221.176, 127.66], [220.28, 148.938], [177.918, 115.127],
         [271.864, 123.874]],
    ),
    FULL_RANGE: (
        0.90996, [173, 67, 278, 172],
        [[202.789, 103.273], [247.981, 105.911], [223.499, 132.392], [222.113, 148.7], [178.938, 106.936],
         [271.958, 112.286]],
    ),
}  # fmt: skip


@pytest.fixture(params=MEDIAPIPE, ids=("short", "full"))
def network(request):
    return request.param


@pytest.fixture
def detect(network):
    detector = BlazeFace(network, 0.5)
    yield detector
    detector.close()


def test_it_finds_what_mediapipe_finds(network, detect, portrait):
    score, box, keypoints = MEDIAPIPE[network]
    (face,) = detect(portrait)
    assert face.score == pytest.approx(score, abs=2e-3)
    assert np.abs(face.box - box).max() < 1
    assert np.abs(face.keypoints - keypoints).max() < 0.2  # of a face of 96 px


@pytest.mark.parametrize("part", [np.s_[:320], np.s_[:, 64:384]], ids=("wide", "tall"))
def test_a_picture_that_is_not_square_stands_between_black_bars(part, detect, portrait):
    cut = portrait[part]
    left, top = ((512 - side) // 2 for side in cut.shape[1::-1])
    square = np.zeros_like(portrait)
    square[top : top + cut.shape[0], left : left + cut.shape[1]] = cut
    (expected,) = detect(square)
    (face,) = detect(cut)
    assert np.abs(face.keypoints + np.array([left, top]) - expected.keypoints).max() < 0.01
    assert np.abs(face.box + np.array([left, top, left, top]) - expected.box).max() < 0.01


def test_answers_about_one_face_become_their_weighted_mean():
    place = np.array([[0.0, 0.0], [1.0, 1.0]] + [[0.5, 0.5]] * 6)
    points = np.stack([place, place + 0.1, place + 5])
    (best, one), (second, other) = blaze_face._merged(np.array([0.6, 0.9, 0.7]), points)
    assert (best, second) == (0.9, 0.7)
    assert np.allclose(one, place + 0.1 * 0.9 / 1.5)
    assert np.allclose(other, place + 5)


def test_nothing_is_found_in_nothing(detect):
    assert detect(np.full((90, 160, 3), 128, np.uint8)) == []
