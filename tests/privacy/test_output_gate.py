"""What leaves now: the newest picture while it is fresh, else the card."""

from fractions import Fraction

import numpy as np
import pytest

from streamtoon.privacy.guard import Guard
from streamtoon.privacy.output_gate import OutputGate, blank_frame
from streamtoon.privacy.policy import HOLD_SECONDS
from streamtoon.types import Colour, Frame

PAPER = (250, 245, 240)


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def drawn(index=0):
    frame = Frame((np.full((36, 64, 3), 10, np.uint8),), "rgb24", index, Fraction(index, 30))
    return Guard(private=True)(frame, frame.planes, 1)


def gate(clock):
    return OutputGate(blank_frame((64, 36), Colour()), PAPER, clock)


def test_until_the_first_picture_there_is_the_card():
    number, picture = gate(Clock()).take(0, 0)
    assert (number, picture.state, picture.width, picture.height) == (0, "card", 64, 36)


def test_a_picture_is_shown_while_it_is_fresh_and_then_the_card():
    clock = Clock()
    one, safe = drawn(), gate(clock)
    safe.put(one)
    assert safe.take(0, 0) == (1, one)
    clock.now += float(HOLD_SECONDS)
    assert safe.take(1, 0) == (1, one)
    clock.now += 0.01
    assert safe.take(1, 0)[1].state == "card"
    safe.put(drawn(1))
    assert safe.take(1, 0)[1].state == "drawn"
    clock.now -= 1  # a clock that runs back does not hold for ever
    assert safe.take(2, 0)[1].state == "card"


def test_paused_it_shows_the_card():
    safe = gate(Clock())
    safe.put(drawn())
    safe.paused = True
    assert safe.take(0, 0)[1].state == "card"
    safe.paused = False
    assert safe.take(0, 0)[1].state == "drawn"


def test_it_takes_nothing_else():
    with pytest.raises(TypeError, match="only an OutputFrame"):
        gate(Clock()).put(blank_frame((64, 36), Colour()))


def test_a_blank_frame_has_an_even_size():
    frame = blank_frame((65, 37), Colour("bt601"))
    assert (frame.width, frame.height, frame.colour) == (64, 36, Colour("bt601"))
