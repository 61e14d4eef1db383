"""The guard's own rules: what leaves where nothing may leave."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from streamtoon.image.planes import to_rgb
from streamtoon.privacy.guard import Guard
from streamtoon.privacy.policy import HOLD_SECONDS
from streamtoon.types import Frame


def frame(index, value=200):
    return Frame((np.full((90, 160, 3), value, np.uint8),), "rgb24", index, Fraction(index, 30))


def drawn(value=10):
    return (np.full((90, 160, 3), value, np.uint8),)


def test_a_film_keeps_frames_without_a_face():
    guard = Guard(private=False)
    out = guard(frame(0), None, 0)
    assert out.state == "passthrough"
    assert np.array_equal(out.planes[0], frame(0).planes[0])


def test_private_never_lets_a_frame_through():
    guard = Guard(private=True)
    states = []
    for i in range(60):
        out = guard(frame(i), drawn() if 10 <= i < 20 else None, 1)
        states.append(out.state)
        assert (out.planes[0] == 200).mean() < 0.01
        assert (out.index, out.seconds) == (i, Fraction(i, 30))
    held = int(HOLD_SECONDS * 30)
    assert states == ["card"] * 10 + ["drawn"] * 10 + ["held"] * held + ["card"] * (40 - held)


def test_a_held_picture_of_another_size_is_not_shown():
    guard = Guard(private=True)
    guard(frame(0), drawn(), 1)
    smaller = Frame((np.full((48, 64, 3), 200, np.uint8),), "rgb24", 1, Fraction(1, 30))
    assert guard(smaller, None, 0).state == "card"


def test_time_running_back_does_not_hold_for_ever():
    guard = Guard(private=True)
    guard(frame(300), drawn(), 1)
    assert guard(frame(5), None, 0).state == "card"


@pytest.mark.parametrize("shape", [(2, 2), (17, 9), (720, 1280)])
def test_the_card_is_paper_with_a_drawing_on_it(shape, moved):
    guard = Guard(private=True, paper=(250, 245, 240))
    one = replace(
        moved[0],
        planes=tuple(np.zeros(s, np.uint8) for s in (shape, *[((shape[0] + 1) // 2, (shape[1] + 1) // 2)] * 2)),
    )
    out = guard(one, None, 0)
    rgb = to_rgb(out.planes, out.layout, out.colour)
    assert np.abs(np.median(rgb, axis=(0, 1)) - (250, 245, 240)).max() <= 3
    if shape[0] > 100:
        assert rgb.std() > 2


def test_nothing_is_held_for_another_shot_or_of_a_still():
    guard = Guard(private=True)
    guard(frame(0), drawn(), 1)
    assert guard(frame(1), None, 0).state == "held"
    assert guard(replace(frame(2), shot=1), None, 0).state == "card"
    assert guard(frame(3), None, 0).state == "card"
    guard(frame(4), drawn(), 1)
    assert guard(replace(frame(5), still=True), None, 0).state == "card"
    guard(replace(frame(6), still=True), drawn(), 1)
    assert guard(frame(7), None, 0).state == "card"
