"""make_toon: how many threads draw, what a style's name may be, and what is refused before anything is loaded."""

import numpy as np
import pytest

from engines.runtimes import echo
from streamtoon import style_folder
from streamtoon.errors import UsageError
from streamtoon.workflows import make_toon as module
from streamtoon.workflows.make_toon import check, make_toon


@pytest.fixture
def given(monkeypatch):
    """The threads that each engine was given."""
    numbers = []
    real = echo.load
    monkeypatch.setattr(
        echo, "load", lambda *a, threads, **k: numbers.append(threads) or real(*a, threads=threads, **k)
    )
    return numbers


@pytest.mark.parametrize(
    ("workload", "asked", "drawing"),
    [("film", 8, 4), ("film", 1, 1), ("still", 8, 8), ("live", 8, 8), ("film", None, 3), ("live", None, 6)],
)
def test_a_film_leaves_half_the_threads_to_reading_and_coding(monkeypatch, given, workload, asked, drawing):
    monkeypatch.setattr(module, "available_cores", lambda: 6)
    make_toon("engraving", engine="echo", threads=asked, workload=workload).close()
    assert given == [drawing]


def test_a_film_of_whole_pictures_is_drawn_by_all(given, picture_style):
    make_toon(picture_style, engine="echo", threads=4).close()
    assert given == [4]


def test_a_loaded_style_is_taken_as_it_is(style):
    with make_toon(style, engine="echo", threads=1) as by_style:
        assert by_style.style is style
    with make_toon(str(style.folder), engine="echo", threads=1) as by_path:
        assert by_path.style == style
    with make_toon(engine="echo", threads=1) as default:
        assert default.style.name == style_folder.DEFAULT


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"style": "nope"}, "no style 'nope'"),
        ({"engine": "warp"}, "no engine is called 'warp'; choose one of auto, "),
        ({"region": "nose"}, "region is 'nose'; it must be one of face, head, person, frame"),
        ({"background": "sea"}, "background is 'sea'; it must be one of keep, paper, blur, draw"),
    ],
)
def test_what_does_not_exist_is_refused_before_anything_is_loaded(monkeypatch, options, words):
    monkeypatch.setattr(module.engine_choice, "load", lambda *_, **__: pytest.fail("an engine was loaded"))
    with pytest.raises(UsageError, match=words):
        make_toon(**options)


def test_none_is_always_right():
    check(engine=None, region=None, background=None)


@pytest.mark.parametrize(
    ("options", "region", "background"),
    [
        ({"workload": "film"}, "frame", "keep"),
        ({"workload": "film", "private": True}, "person", "paper"),
        ({"workload": "still", "background": "blur"}, "person", "blur"),
        ({"workload": "live"}, "person", "keep"),
        ({"workload": "live", "private": True}, "person", "paper"),
        ({"workload": "live", "private": True, "region": "frame"}, "frame", "paper"),
    ],
)
def test_a_picture_style_draws_people_where_the_room_is_nobodys_business(picture_style, options, region, background):
    with make_toon(picture_style, engine="echo", threads=1, **options) as toon:
        assert (toon.region, toon.background) == (region, background)


@pytest.mark.parametrize(
    ("background", "told"), [("paper", True), (np.zeros((4, 4, 3), np.uint8), True), ("keep", False), (None, False)]
)
def test_a_background_that_shows_nowhere_is_told(picture_style, background, told, caplog):
    make_toon(picture_style, engine="echo", threads=1, region="frame", background=background).close()
    assert ("a background shows nowhere" in caplog.text) == told
