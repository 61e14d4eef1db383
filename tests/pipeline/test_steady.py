"""Drawings hold still where the crop does, and follow at once where it moves."""

import numpy as np
import pytest

from streamtoon.pipeline.temporal_filter import TemporalFilter
from streamtoon.types import Crop, Face

SIZE = 128
HERE = np.array([[1.0, 0, 0], [0, 1, 0]])
POINTS = np.array([[48, 48], [80, 48], [64, 60], [64, 80], [40, 50], [88, 50]], np.float32)
FACE = Face(np.array([32, 32, 96, 96], np.float32), POINTS, 1.0, 0)
MOUTH, CHEEK = np.s_[76:84, 60:68], np.s_[112:120, 60:68]


def crop(image, to_crop=HERE):
    return Crop(np.ascontiguousarray(np.broadcast_to(np.asarray(image, np.uint8)[..., None], (SIZE, SIZE, 3))), to_crop)


def flat(value):
    return np.full((SIZE, SIZE), value)


def sheet(value):
    return np.full((SIZE, SIZE, 4), value, np.uint8)


def step(steady, cut, drawn):
    """One frame with one face: the average crop and the drawing that is shown."""
    crops, sequence = steady.crops([FACE], [cut])
    return crops[0].image, steady.drawings([FACE], sequence, [drawn])[0]


def test_noise_is_not_drawn():
    """The camera's noise changes every drawing; neither what the net sees nor what is shown moves much."""
    rng, steady = np.random.default_rng(0), TemporalFilter()
    raw, seen = [], []
    for _ in range(30):
        drawn = rng.integers(0, 256, (SIZE, SIZE, 4), dtype=np.uint8)
        drawn[..., 3] = rng.integers(247, 256, (SIZE, SIZE))  # the matte trembles less
        noisy = crop(flat(120) + rng.normal(0, 4, (SIZE, SIZE)))
        image, picture = step(steady, noisy, drawn)
        raw.append((noisy.image, drawn))
        seen.append((image, picture))
    for i in range(2):
        before, after = (np.abs(np.diff(np.array([p[i] for p in x[8:]], float), axis=0)).mean() for x in (raw, seen))
        assert after < 0.15 * before


def test_what_changes_wholly_is_new_at_once():
    steady = TemporalFilter()
    step(steady, crop(flat(60)), sheet(0))
    image, shown = step(steady, crop(flat(160)), sheet(255))
    assert (image == 160).all()
    assert (shown == 255).all()


def missing(where, height):
    """What is missing of a step in the picture, in parts of it, frame after frame, where the net draws what it sees."""
    steady, parts = TemporalFilter(), []
    for value in [60] * 3 + [60 + height] * 12:
        crops, sequence = steady.crops([FACE], [crop(flat(value))])
        drawn = np.dstack([crops[0].image, np.full((SIZE, SIZE), 255, np.uint8)])
        shown = steady.drawings([FACE], sequence, [drawn])[0]
        parts.append(1 - (float(shown[where][..., 0].mean()) - 60) / height)
    return parts[3:]


@pytest.mark.parametrize(("height", "frames"), [(12, 2.0), (20, 1.1), (30, 0.6), (40, 0.3)])
def test_the_mouth_is_about_a_frame_late_at_most(height, frames):
    """The mean delay of a step, by crop and drawing together, in frames: what is missing of it, summed."""
    parts = missing(MOUTH, height)
    assert sum(parts) <= frames
    assert parts[-1] < 0.1  # nothing old stays


def test_what_moves_much_does_not_trail():
    parts = missing(CHEEK, 60)
    assert sum(parts) <= 1.5
    assert parts[-1] < 0.1


def test_what_moves_is_drawn_from_the_newest_crop_alone():
    steady = TemporalFilter()
    steady.crops([FACE], [crop(flat(60))])
    crops, _ = steady.crops([FACE], [crop(flat(100))])
    assert (crops[0].image == 100).all()


def test_slow_changes_add_up():
    steady = TemporalFilter()
    for i in range(60):
        _, shown = step(steady, crop(flat(60 + i)), sheet(4 * i))
    assert shown[MOUTH].mean() > 0.85 * 4 * 59
    assert shown[CHEEK].mean() > 0.7 * 4 * 59


def test_a_crop_that_was_moved_is_drawn_anew():
    """What was drawn elsewhere must not stand in it."""
    steady = TemporalFilter()
    step(steady, crop(flat(60)), sheet(0))
    _, shown = step(steady, crop(flat(62), HERE + np.array([[0, 0, 9], [0, 0, 0]])), sheet(255))
    assert (shown == 255).all()


def test_a_face_that_left_is_forgotten():
    steady = TemporalFilter()
    step(steady, crop(flat(60)), sheet(0))
    steady.drawings([], steady.crops([], [])[1], [])
    assert (step(steady, crop(flat(60)), sheet(255))[1] == 255).all()


def test_a_frame_that_was_dropped_between_crop_and_drawing_counts_all_the_same():
    """Its crop was the one that moved: the drawing of the crop before must not stand in the next one."""
    steady = TemporalFilter()
    step(steady, crop(flat(60)), sheet(0))
    moved = crop(flat(62), HERE + np.array([[0, 0, 9], [0, 0, 0]]))
    steady.crops([FACE], [moved])  # dropped
    assert (step(steady, moved, sheet(255))[1] == 255).all()
    for _ in range(200):
        steady.crops([FACE], [moved])
    assert (step(steady, moved, sheet(9))[1] == 9).all()
    steady.crops([FACE], [moved])
    white = sheet(200)
    white[..., 3] = 9
    assert (step(steady, moved, white)[1] < 60).all()  # nothing moved: a drop alone starts nothing anew


def test_who_leaves_leaves_no_ghost():
    """Where the matte is gone its drawing goes, though so little has changed in the picture that it might stay."""
    steady, person, nobody = TemporalFilter(), sheet(255), sheet(255)
    person[..., :3], nobody[..., 3] = 0, 0
    step(steady, crop(flat(60)), person)
    left = [step(steady, crop(flat(62)), nobody)[1][..., 3].max() for _ in range(8)]
    assert left[2] < 100
    assert left[7] < 24
