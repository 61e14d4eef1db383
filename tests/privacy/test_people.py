"""Several people, some of them not drawn, coming and leaving: none is seen in what leaves."""

import pytest
from calls import (
    People,
    paced,
    run,
)

from engines import MAX_BATCH
from streamtoon.privacy.guard import Guard

BACKGROUNDS = ["paper", "keep", "blur"]


def check_people(pictures, scenes):
    """As ``check``, for every face of every scene that was before the camera."""
    assert pictures
    for scene in scenes:
        assert not any(scene.shown(p) for p in pictures)
    assert {p.state for p in pictures} <= {"drawn", "held", "card"}


def film(scenes):
    return paced([s.frame for s in scenes])


def test_the_check_sees_people():
    scene = People([(20, 30, 200), (260, 30, 200), (-90, 30, 200)])
    assert scene.shown(Guard(private=False)(scene.frame, None, 0)) == [0, 1, 2]


@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize("chosen", ["all", "largest"])
def test_a_second_person_walks_in(style, chosen, background):
    one, two = People([(20, 30, 200)]), People([(20, 30, 200), (260, 30, 190)])
    # before the detectors have looked, a kept room shows who has just come into it: that is what keep means
    late = 3 if background == "keep" else 0
    pictures, _ = run(style, film([one] * 20 + [two] * 25), faces=chosen, background=background)
    # frames that were looked at: a busy machine leaves some out
    first = sorted({p.index for p in pictures if p.index >= 20})[:late]
    check_people([p for p in pictures if p.index not in first], [one, two])
    assert pictures[-1].faces == (2 if chosen == "all" else 1)


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_faces_beyond_the_batch(style, background):
    crowd = People([(20 + 195 * (i % 5), 10 + 195 * (i // 5), 190) for i in range(MAX_BATCH + 2)], (1000, 400))
    pictures, _ = run(style, film([crowd] * 30), blank=crowd.frame, background=background)
    check_people(pictures, [crowd])
    assert pictures[-1].faces == MAX_BATCH


@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize("chosen", ["largest", "centre"])
def test_faces_that_are_not_chosen(style, chosen, background):
    three = People([(10, 60, 150), (150, 10, 200), (330, 60, 150)])
    pictures, _ = run(style, film([three] * 30), faces=chosen, background=background)
    check_people(pictures, [three])
    assert pictures[-1].faces == 1
    if background == "keep":  # covered with paper, the wall beside them stays
        luma = pictures[-1].planes[0]
        assert luma[84:100, 70:80].min() > 225
        assert abs(int(luma[260, 5]) - int(three.frame.planes[0][260, 5])) <= 2


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_faces_that_are_too_small(style, background, monkeypatch):
    # the detectors do not find what is really too small
    monkeypatch.setattr("streamtoon.privacy.policy.MIN_FACE_PX", 50)
    two = People([(20, 20, 240), (320, 60, 150)])
    pictures, _ = run(style, film([two] * 30), background=background)
    check_people(pictures, [two])
    assert pictures[-1].faces == 1


@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize("company", [False, True])
def test_somebody_leaves_half_way(style, company, background):
    stays = [(250, 30, 200)] if company else []
    way = [People([(x, 30, 200), *stays]) for x in (*range(20, -100, -4), *[-100] * 30)]
    pictures, _ = run(style, film(way), background=background)
    check_people(pictures, way)
