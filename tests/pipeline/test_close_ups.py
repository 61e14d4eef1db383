"""Small faces that are drawn once more by themselves."""

from dataclasses import replace

import numpy as np
import pytest
from calls import People
from whole_pictures import Copy, Negative

from streamtoon.pipeline import close_ups as module
from streamtoon.pipeline.close_ups import MOST, SIDE_PX, CloseUps, contrasted
from streamtoon.pipeline.toon import Toon
from streamtoon.types import Face

CROWD = People([(80, 60, 240), (560, 200, 260), (900, 40, 300)], (1280, 720))


def face(x, y, width, number=0):
    points = np.array([(-0.25, -0.2), (0.25, -0.2), (0, 0.1), (0, 0.3), (-0.5, 0), (0.5, 0)]) * width + (x, y)
    box = np.array([x - width / 2, y - width / 2, x + width / 2, y + width / 2], np.float32)
    return Face(box, points.astype(np.float32), 0.9, number)


def placed(close_ups, *faces):
    return [c.square for c in close_ups(CROWD.frame, list(faces), 1280)]


def test_small_faces_alone_and_the_largest_of_them():
    crowd = [face(100 + 90 * i, 300, 30 + i, i) for i in range(MOST + 2)]
    squares = placed(CloseUps(2, steady=False), *crowd, face(1000, 500, 115, 90), face(900, 600, 11, 91))
    assert len(squares) == MOST
    assert min(s.x + s.side / 2 for s in squares) > 270
    assert {s.side for s in squares} == {128}  # no smaller, or strokes would fade


def test_a_close_up_is_about_twice_as_wide_as_its_face():
    (square,) = placed(CloseUps(2, steady=False), face(400, 300, 100))
    assert square == (304, 196, 190)


def test_a_close_up_is_even_within_the_frame_and_as_the_network_wants_it():
    close_ups = CloseUps(2, steady=False)
    for x, y in ((3, 5), (1277, 719), (641, 333)):
        (cut,) = close_ups(CROWD.frame, [face(x, y, 45, x)], 1280)
        assert not any(length % 2 for length in cut.square)
        assert 0 <= cut.square.x <= 1280 - cut.square.side
        assert 0 <= cut.square.y <= 720 - cut.square.side
        assert cut.frame.width == cut.frame.height == cut.square.side
        assert cut.picture.shape == (SIDE_PX // 2, SIDE_PX // 2, 3)


def test_it_stands_while_the_head_moves_a_little():
    close_ups = CloseUps(2, steady=True)
    (first,) = placed(close_ups, face(400, 300, 80))
    assert placed(close_ups, face(411, 292, 85)) == [first]
    assert placed(close_ups, face(430, 300, 80)) != [first]
    (larger,) = placed(close_ups, face(430, 300, 105))
    assert larger.side > 1.2 * first.side
    assert placed(close_ups, face(430, 300, 120)) == [larger]  # no change back and forth at the limit
    assert placed(close_ups, face(430, 300, 130)) == []
    assert placed(close_ups, face(430, 300, 120)) == []


def test_a_frame_too_small_for_one_has_none():
    y, u, v = CROWD.frame.planes
    tiny = replace(CROWD.frame, planes=(y[:20, :20], u[:10, :10], v[:10, :10]))
    assert CloseUps(2, steady=False)(tiny, [face(10, 10, 14)], 64) == []


@pytest.fixture
def as_they_are(monkeypatch):
    """Close-ups of no more contrast than the frame."""
    monkeypatch.setattr(module, "CONTRAST", 0)


def test_dim_eyes_are_darker_in_a_close_up():
    skin = np.full((160, 160, 3), 150, np.uint8)
    skin[70:80, 50:65] = 135
    more = contrasted(skin)
    assert more[75, 57, 0] < 127
    assert abs(int(more[20, 20, 0]) - 150) <= 1


@pytest.mark.usefixtures("as_they_are")
@pytest.mark.parametrize("private", [False, True])
def test_they_are_drawn_in_one_batch_and_nothing_shifts(picture_style, private):
    with Toon(picture_style, Negative(), region="frame", private=private) as toon:
        drawn = toon(CROWD.frame)
        found = [f for f in toon.see(CROWD.frame).faces if f.box[2] - f.box[0] < 110]
        assert len(found) >= 2
        assert toon.engine.shapes == [(1, 360, 640, 3), (len(found), SIDE_PX // 2, SIDE_PX // 2, 3)]
    assert drawn.state == "drawn"
    limited = 235 + 16 - CROWD.frame.planes[0].astype(int)  # the negative of limited range
    assert np.abs(drawn.planes[0] - limited).mean() < 1.5


@pytest.mark.usefixtures("as_they_are")
def test_a_close_up_shows_more(picture_style):
    """The whole picture is drawn from half its size; a close-up is not."""

    def spoiled(_count, drawn):
        return drawn if drawn.shape[1] == SIDE_PX * 3 // 2 else np.full_like(drawn, 128)

    with Toon(picture_style, Copy(spoiled)) as toon:
        drawn = toon(CROWD.frame)
        near = max((f for f in toon.see(CROWD.frame).faces if f.box[2] - f.box[0] < 110), key=lambda f: f.box[2])
    x0, y0, x1, y1 = near.box.astype(int)
    inside = np.s_[y0:y1, x0:x1]
    assert np.abs(drawn.planes[0][inside].astype(int) - CROWD.frame.planes[0][inside]).mean() < 6
    assert np.abs(drawn.planes[0][600:, :500].astype(int) - 126).max() <= 1
