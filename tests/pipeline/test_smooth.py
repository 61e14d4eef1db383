from fractions import Fraction

import numpy as np

from streamtoon.pipeline.track import FaceTracker
from streamtoon.privacy.policy import COAST_SECONDS
from streamtoon.types import Face

GREY = np.full((90, 160, 3), 128, np.uint8)


def face(x, y=100.0, width=80.0, noise=0.0, rng=None):
    points = np.array([(-0.25, -0.2), (0.25, -0.2), (0, 0.1), (0, 0.3), (-0.5, 0), (0.5, 0)]) * width + (x, y)
    if rng is not None:
        points = points + rng.normal(0, noise, points.shape)
    box = [x - width / 2, y - width / 2, x + width / 2, y + width / 2]
    return Face(np.array(box, np.float32), points.astype(np.float32), 0.9)


def run(tracks, faces, start=0):
    return [tracks(f, Fraction(start + i, 30), GREY) for i, f in enumerate(faces)]


def test_a_head_at_rest_does_not_jitter():
    rng = np.random.default_rng(5)
    raw = [[face(200, noise=2.0, rng=rng)] for _ in range(90)]
    smooth = run(FaceTracker(), raw)
    shake = [np.diff([f[0].keypoints for f in frames], axis=0).std() for frames in (raw[30:], smooth[30:])]
    assert shake[1] < 0.4 * shake[0]


def test_a_moving_head_does_not_trail():
    speed = 12.0  # px a frame: four and a half face widths a second
    smooth = run(FaceTracker(), [[face(100 + speed * i)] for i in range(40)])
    behind = 100 + speed * 39 - smooth[-1][0].keypoints[:2, 0].mean()
    assert abs(behind) < 0.05 * 80


def test_ids_stay_with_their_faces():
    tracks = FaceTracker()
    frames = run(tracks, [[face(100 + 5 * i), face(500 - 5 * i, y=300)] for i in range(20)])
    swapped = tracks([face(400, y=300), face(200)], Fraction(20, 30), GREY)
    assert {f.id for f in frames[0]} == {0, 1}
    assert [f.id for f in swapped] == [1, 0]


def test_a_missed_face_is_remembered_for_a_moment_and_then_forgotten():
    tracks = FaceTracker()
    run(tracks, [[face(200)]] * 10)
    seen = [len(tracks([], Fraction(10 + i, 30), GREY)) for i in range(20)]
    kept = int(COAST_SECONDS * 30)
    assert seen == [1] * kept + [0] * (20 - kept)


def test_a_cut_forgets():
    tracks = FaceTracker()
    run(tracks, [[face(200)]] * 10)
    assert tracks([], Fraction(10, 30), 255 - GREY // 2) == []
    tracks = FaceTracker()
    run(tracks, [[face(200)]] * 10)
    (after,) = tracks([face(205)], Fraction(10, 30), np.zeros_like(GREY))
    assert after.id == 1
    assert np.allclose(after.keypoints, face(205).keypoints)  # not pulled towards the scene before


def test_time_may_jump_back():
    tracks = FaceTracker()
    run(tracks, [[face(200)]] * 5, start=100)
    (after,) = tracks([face(240)], Fraction(0), GREY)
    assert np.allclose(after.keypoints, face(240).keypoints)
