"""Regions and backgrounds of styles that draw whole pictures."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from whole_pictures import Negative

from streamtoon.errors import UsageError
from streamtoon.image.planes import from_rgb, to_rgb
from streamtoon.pipeline import region_matte
from streamtoon.pipeline.compose import lay
from streamtoon.pipeline.person_matte import PersonMatte
from streamtoon.pipeline.toon import Toon
from streamtoon.types import Colour, Frame
from streamtoon.workflows.make_toon import make_toon

NOSE = (88, 160)  # of the moving portrait in its 640x360 frames


class Told(PersonMatte):
    """A matte of a rectangle, which counts how often it forgot."""

    def __init__(self):
        self.forgot, self._shot = 0, None

    def __call__(self, _picture, luma, *_):
        matte = np.zeros_like(luma)
        h, w = luma.shape
        matte[h // 4 :, w // 4 : w // 2] = 255
        return matte

    def forget(self):
        self.forgot += 1

    def close(self):
        pass


@pytest.fixture
def told(monkeypatch):
    made = []
    monkeypatch.setattr(region_matte, "PersonMatte", lambda: made.append(Told()) or made[-1])
    return made


def shares(drawn, frame):
    """Shares of the picture that are the frame's own luma, and its negative."""
    own = frame.planes[0].astype(int)
    return tuple(float((np.abs(drawn.planes[0] - one) < 12).mean()) for one in (own, 251 - own))


@pytest.mark.parametrize(
    ("region", "least", "most"), [("frame", 0.99, 1), ("person", 0.25, 0.7), ("head", 0.15, 0.5), ("face", 0.02, 0.2)]
)
def test_regions(picture_style, moved, region, least, most):
    with Toon(picture_style, Negative(), region=region) as toon:
        drawn = toon(moved[0])
    kept, negative = (share - 0.03 for share in shares(drawn, moved[0]))  # some is grey, as its negative
    assert least - 0.04 <= negative <= most
    assert abs(kept + negative - 1) < 0.12
    y, x = NOSE
    assert abs(int(drawn.planes[1][y, x]) - (256 - int(moved[0].planes[1][y, x]))) < 12


@pytest.mark.parametrize(("level", "limits"), [(0, (0.4, 0.85)), (255, (2.3, 2.6))])
def test_a_head_is_drawn_with_its_hair_and_a_face_without_what_is_beside_it(
    picture_style, moved, monkeypatch, level, limits
):
    """By a matte of nobody, and of everywhere; widths in face sizes."""
    monkeypatch.setattr(Told, "__call__", lambda _self, _picture, luma, *_: np.full_like(luma, level))
    monkeypatch.setattr(region_matte, "PersonMatte", Told)
    with Toon(picture_style, Negative(), region="head", background="paper") as toon:
        seen = toon.see(moved[0])
        drawn = toon.blend(toon.draw(seen))
    (face,) = seen.faces
    eyes = face.keypoints[:2].mean(axis=0)
    size = 2 * max(np.linalg.norm(face.keypoints[0] - face.keypoints[1]), np.linalg.norm(face.keypoints[3] - eyes))
    inked = np.flatnonzero(np.abs(drawn.planes[0].astype(int) - 235).max(axis=0) > 60)
    assert limits[0] < (inked[-1] - inked[0]) / size < limits[1]


@pytest.mark.parametrize("background", ["keep", "paper", "blur", "draw", "picture"])
def test_backgrounds_stand_where_the_person_is_not(picture_style, moved, told, background):
    behind = np.zeros((90, 160, 3), np.uint8) if background == "picture" else background
    with Toon(picture_style, Negative(), region="person", background=behind) as toon:
        drawn = toon(moved[0])
    own = moved[0].planes[0]
    corner, person = np.s_[:60, 400:], np.s_[110:, 180:300]
    assert np.abs(drawn.planes[0][person].astype(int) - (251 - own[person].astype(int))).mean() < 4
    if background == "keep":
        assert all(
            np.array_equal(d[:30, 200:], f[:30, 200:]) for d, f in zip(drawn.planes, moved[0].planes, strict=True)
        )
    elif background in {"paper", "picture"}:
        assert (drawn.planes[0][corner] == (235 if background == "paper" else 16)).all()
    elif background == "draw":
        assert np.abs(drawn.planes[0][corner].astype(int) - (251 - own[corner].astype(int))).mean() < 4
        assert not told
    else:
        assert 0.5 < np.abs(drawn.planes[0][corner].astype(int) - own[corner]).mean() < 40


@pytest.mark.parametrize("paper", [(255, 255, 255), (30, 200, 90)])
@pytest.mark.parametrize("size", [(720, 1280), (1080, 1920), (361, 641)])
def test_paper_has_its_colour_at_every_size_and_in_every_layout(picture_style, told, still, paper, size):
    style = replace(picture_style, paper=paper)
    grey = np.full((*size, 3), 100, np.uint8)
    film = Frame(tuple(np.ascontiguousarray(p) for p in from_rgb(grey, "yuv420p", Colour())), "yuv420p", 0, Fraction(0))
    for frame in (still(grey), film):
        with Toon(style, Negative(), region="person", background="paper") as toon:
            drawn = toon(frame)
        shown = to_rgb(drawn.planes, drawn.layout, drawn.colour).astype(int)
        assert np.abs(shown[:20, -40:] - paper).max() <= 3
        assert np.abs(shown[-50:-20, size[1] // 4 + 20 : size[1] // 2 - 20] - 155).max() <= 3


def test_the_matte_forgets_at_a_still_and_at_another_shot(picture_style, moved, told, portrait, still):
    with Toon(picture_style, Negative(), region="person", background="paper") as toon:
        for frame in moved[:3]:
            toon(frame)
        assert told[0].forgot == 1
        toon.see(replace(moved[3], shot=1))  # as if live dropped it before it was drawn
        toon(replace(moved[4], shot=1))
        assert told[0].forgot == 2
        toon(still(portrait))
        toon(still(portrait))
        assert told[0].forgot == 4


def test_a_frame_without_anybody(picture_style, still):
    wall = still(np.full((360, 640, 3), 90, np.uint8))
    for options, state in (
        ({"background": "keep"}, "passthrough"),
        ({"background": "paper"}, "drawn"),
        ({"background": "keep", "private": True}, "card"),
        ({"background": "paper", "private": True}, "card"),
    ):
        with Toon(picture_style, Negative(), region="head", **options) as toon:
            assert toon(wall).state == state


def test_the_meter_has_a_row_for_every_verb(picture_style, moved, told):
    with Toon(picture_style, Negative(), region="person", background="paper", private=True, steady=True) as toon:
        toon(moved[0])
        toon(moved[1])
        assert set(toon.meter.medians()) == {"find", "crop", "steady", "draw", "matte", "check", "blend"}


def test_the_stages_are_the_whole(picture_style, moved):
    made = [Toon(picture_style, Negative(), region="person", steady=True) for _ in range(2)]
    with made[0] as one, made[1] as other:
        for frame in moved[:3]:
            a, b = one(frame), other.blend(other.draw(other.see(frame)))
            assert all(np.array_equal(p, q) for p, q in zip(a.planes, b.planes, strict=True))


def test_a_head_style_draws_no_persons(style):
    with pytest.raises(UsageError, match="plain draws heads; region person needs"):
        make_toon(style, engine="echo", region="person")


@pytest.mark.parametrize("size", [(40, 60), (41, 61), (7, 5)])
def test_planes_are_laid_where_the_matte_says(size):
    h, w = size
    half = ((h + 1) // 2, (w + 1) // 2)
    below = tuple(np.full(s, 40, np.uint8) for s in (size, half, half))
    above = tuple(np.full(s, 200, np.uint8) for s in (size, half, half))
    matte = np.zeros(size, np.uint8)
    matte[h // 2 :, w // 2 :] = 255
    matte[-1, -1] = 128
    lay(below, above, matte)
    assert (below[0][: h // 2] == 40).all()
    assert (below[0][h // 2 : -1, w // 2 : -1] == 200).all()
    assert abs(int(below[0][-1, -1]) - 120) <= 1
    assert below[1][0, 0] == 40
    assert below[1][half[0] - 2, half[1] - 2] >= 120
