from dataclasses import FrozenInstanceError, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from streamtoon.privacy.guard import Guard
from streamtoon.types import Colour, Face, Frame, OutputFrame, Style


def plane(h, w):
    return np.zeros((h, w), np.uint8)


def test_a_frame_of_odd_size_has_rounded_up_chroma():
    frame = Frame((plane(5, 7), plane(3, 4), plane(3, 4)), "yuv420p", 0, Fraction(0))
    assert (frame.width, frame.height) == (7, 5)


@pytest.mark.parametrize(
    ("planes", "layout"),
    [
        ((plane(4, 4), plane(4, 4), plane(4, 4)), "yuv420p"),
        ((plane(4, 4),), "rgb24"),
        ((np.zeros((4, 4, 3), np.float32),), "rgb24"),
        ((np.zeros((4, 4, 3), np.uint8),), "bgr24"),
    ],
)
def test_bad_planes_are_refused(planes, layout):
    with pytest.raises(ValueError, match=r"planes|layout"):
        Frame(planes, layout, 0, Fraction(0))


@pytest.mark.parametrize("change", [{"duration": Fraction(0)}, {"duration": Fraction(-1, 25)}, {"shot": -1}])
def test_a_frame_that_cannot_be_is_refused(change):
    with pytest.raises(ValueError, match=rf"{next(iter(change))} is {next(iter(change.values()))}; it must be"):
        Frame((np.zeros((4, 4, 3), np.uint8),), "rgb24", 0, Fraction(0), **change)


def test_a_frame_is_one_of_a_shot_unless_its_source_knows_better():
    frame = Frame((np.zeros((4, 4, 3), np.uint8),), "rgb24", 0, Fraction(0))
    assert (frame.duration, frame.still, frame.shot) == (None, False, 0)


def test_only_guard_makes_a_drawn():
    frame = Frame((np.zeros((4, 4, 3), np.uint8),), "rgb24", 0, Fraction(0))
    with pytest.raises(TypeError, match="guard"):
        OutputFrame(frame.planes, "rgb24", 0, Fraction(0), Colour(), 1, "drawn", object())


def test_a_drawn_cannot_be_given_other_planes():
    frame = Frame((np.zeros((4, 4, 3), np.uint8),), "rgb24", 0, Fraction(0))
    drawn = Guard(private=False)(frame, None, 0)
    with pytest.raises((TypeError, ValueError), match="seal"):
        replace(drawn, planes=frame.planes)
    with pytest.raises(FrozenInstanceError):
        drawn.planes = frame.planes


def test_an_error_names_the_value_and_the_choices():
    with pytest.raises(ValueError, match=r"matrix is 'bt470'; it must be one of bt601, bt709, bt2020"):
        Colour("bt470")


@pytest.mark.parametrize("change", [{"size": 250}, {"margin": 0.5}, {"feather": 0.0}, {"region": "nose"}])
def test_a_bad_style_is_refused(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        Style("x", Path(), Path("x.onnx"), "", **change)


def test_a_face_has_six_keypoints():
    with pytest.raises(ValueError, match="keypoints"):
        Face(np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 0.9)
