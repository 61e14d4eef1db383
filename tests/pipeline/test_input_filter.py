"""The average of a network's input: noise goes, nothing trails."""

import numpy as np
import pytest

from streamtoon.pipeline.input_filter import InputFilter

RANDOM = np.random.default_rng(5)
SCENE = np.kron(RANDOM.integers(60, 200, (9, 16, 3)), np.ones((20, 20, 1))).astype(np.uint8)


def noisy(picture, sigma=5.0):
    return np.clip(picture + RANDOM.normal(0, sigma, picture.shape), 0, 255).round().astype(np.uint8)


def away(one, other):
    return np.abs(one.astype(int) - np.asarray(other, int))


def test_a_still_scene_loses_its_noise():
    steady = InputFilter()
    for _ in range(15):
        shown = noisy(SCENE)
        drawn = steady(shown)
    assert away(drawn, SCENE).mean() < 0.5 * away(shown, SCENE).mean()


@pytest.mark.parametrize("contrast", [25, 120])
def test_a_moving_edge_leaves_no_trail(contrast):
    steady = InputFilter()
    for x in range(20, 200, 6):
        shown = np.full((120, 240, 3), 80, np.uint8)
        shown[:, x : x + 30] += contrast
        drawn = steady(noisy(shown, 2.0))
    assert away(drawn[:, : x - 6], 80).mean() < 2.5
    assert away(drawn[:, x + 2 : x + 28], 80 + contrast).mean() < 2.5


def test_slow_changes_pass():
    steady = InputFilter()
    for level in range(60, 180):
        drawn = steady(np.full((40, 60, 3), level, np.uint8))
        assert away(drawn, level).max() <= 6
    for _ in range(30):
        drawn = steady(np.full((40, 60, 3), 179, np.uint8))
    assert away(drawn, 179).max() <= 1


def test_a_cut_another_size_and_another_shot_are_new_at_once():
    steady, other = InputFilter(), 255 - SCENE
    steady(SCENE)
    assert away(steady(other), other).max() <= 1
    assert np.array_equal(steady(SCENE[:80]), SCENE[:80])
    steady.forget()
    nearly = np.clip(SCENE[:80].astype(int) + 2, 0, 255).astype(np.uint8)
    assert np.array_equal(steady(nearly), nearly)


def test_a_picture_that_was_given_is_not_written_to():
    steady, first = InputFilter(), SCENE.copy()
    drawn = [steady(first), steady(noisy(SCENE))]
    steady(noisy(SCENE))
    assert np.array_equal(first, SCENE)
    assert np.array_equal(drawn[0], SCENE)
