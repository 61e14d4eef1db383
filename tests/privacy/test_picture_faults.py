"""Fault injection for styles that draw whole pictures: engines, mattes and detectors that go wrong."""

import contextlib
import itertools
import time

import cv2
import numpy as np
import pytest
from calls import CLIP, check, paced, run, states, subsequence
from engine_faults import GOOD_CALLS, always_raises, nan, raises, wrong_shape, zeros
from whole_pictures import Negative, planes

from streamtoon.image.planes import to_rgb
from streamtoon.pipeline import region_matte
from streamtoon.pipeline.find import Finder
from streamtoon.pipeline.toon import Toon
from streamtoon.privacy.drawn_check import hides_picture
from streamtoon.sources import portrait as portrait_source
from streamtoon.types import Frame

WAYS = [("frame", "keep"), ("person", "paper"), ("person", "keep"), ("head", "keep")]
LEAVES_NOTHING = [("frame", "keep"), ("person", "paper"), ("person", "draw"), ("head", "draw"), ("head", "paper")]


def noise(count, drawn):
    return np.random.default_rng(count).integers(0, 256, drawn.shape, np.uint8) if count > GOOD_CALLS else drawn


def echoes(count, drawn):
    return 255 - drawn if count > GOOD_CALLS else drawn  # the negative's negative


def echoes_in_part(count, drawn):
    """A quarter of the picture, where the face is, is the camera's."""
    rows, w = drawn.shape[1:]
    part = np.s_[:, rows // 6 : rows // 2, 3 * w // 8 : 5 * w // 8]
    if count > GOOD_CALLS:
        drawn[part] = 255 - drawn[part]
    return drawn


@pytest.mark.parametrize(("region", "background"), WAYS)
@pytest.mark.parametrize("fault", [raises, nan, wrong_shape, zeros, noise, echoes, echoes_in_part])
def test_what_an_engine_that_fails_lets_leave(picture_style, fault, region, background):
    pictures = []
    with Toon(picture_style, Negative(fault), region=region, background=background, private=True) as toon:
        for frame in CLIP[:7]:
            with contextlib.suppress(Exception):  # as live does
                pictures.append(toon(frame))
    check(pictures)
    assert pictures[0].state == "drawn"
    if fault in {echoes, echoes_in_part, zeros}:
        assert pictures[-1].state == "held"


@pytest.mark.parametrize("fault", [always_raises, echoes, wrong_shape])
def test_an_engine_that_fails_in_a_call(picture_style, fault):
    engine = Negative(fault)
    pictures, live = run(picture_style, paced(CLIP[:60]), engine, region="person", background="paper")
    check(pictures)
    assert states(pictures)[-1] in {"held", "card"}
    if fault is always_raises:
        assert states(pictures) == ["card"]
        assert live.said == ["drawing fails, the card is shown: out of memory"]


def test_an_engine_that_stalls(picture_style):
    def stall(count, drawn):
        if count == 4:
            time.sleep(1.2)
        return drawn

    pictures, live = run(picture_style, paced(CLIP[:75]), Negative(stall), region="person", background="paper")
    check(pictures)
    assert subsequence(["card", "drawn", "card", "drawn"], states(pictures))
    assert live.dropped > 5


class Everywhere:
    """A matte that is full, or whatever ``level`` says."""

    level = 255

    def __call__(self, _picture, luma, *_):
        return np.full(luma.shape, self.level, np.uint8)

    def begin(self, _frame):
        pass

    def close(self):
        pass


class Nowhere(Everywhere):
    level = 0


class Half(Everywhere):
    level = 128


class Raises(Everywhere):
    def __call__(self, *_):
        raise RuntimeError("matte")


def no_camera(drawn, frame):
    """Nothing of ``frame`` is in what left: neither its samples, but for those that agree by chance, nor its shape."""
    negative = to_rgb(frame.planes, frame.layout, frame.colour).astype(float)
    shown = to_rgb(drawn.planes, drawn.layout, drawn.colour).astype(float)
    return (np.abs(shown - negative).max(axis=2) < 3).mean() < 0.02


@pytest.mark.parametrize("matte", [Everywhere, Nowhere, Half])
@pytest.mark.parametrize("way", LEAVES_NOTHING)
@pytest.mark.parametrize("sees", ["all", "nobody"])
def test_no_pixel_of_the_camera_leaves_whatever_matte_and_detector_miss(picture_style, monkeypatch, matte, way, sees):
    region, background = way
    monkeypatch.setattr(region_matte, "PersonMatte", matte)
    if sees == "nobody":
        monkeypatch.setattr(Finder, "__call__", lambda *_: [])
    with Toon(picture_style, Negative(), region=region, background=background, private=True) as toon:
        pictures = [toon(frame) for frame in CLIP[:3]]
    assert all(no_camera(*pair) for pair in zip(pictures, CLIP, strict=False))
    if region == "frame" or background == "draw":
        there = True
    elif region == "head":
        there = sees == "all"  # over a face that was found stands an oval
    else:
        there = matte is not Nowhere
    assert {p.state for p in pictures} == {"drawn" if there else "card"}


@pytest.mark.parametrize("region", ["person", "head"])
@pytest.mark.parametrize("matte", [Everywhere, Nowhere])
def test_before_the_room_a_face_that_was_found_is_drawn_whatever_the_matte_misses(
    picture_style, monkeypatch, matte, region
):
    monkeypatch.setattr(region_matte, "PersonMatte", matte)
    pictures, _ = run(picture_style, paced(CLIP[:20]), Negative(), region=region, background="keep")
    check(pictures)
    assert "drawn" in states(pictures)


def test_a_matte_that_raises(picture_style, monkeypatch):
    monkeypatch.setattr(region_matte, "PersonMatte", Raises)
    pictures, live = run(picture_style, paced(CLIP[:20]), Negative(), region="person", background="paper")
    assert states(pictures) == ["card"]
    assert live.said == ["drawing fails, the card is shown: matte"]


def test_a_detector_that_raises(picture_style, monkeypatch):
    real, calls = Finder.__call__, itertools.count()

    def find(self, *args):
        if next(calls) > 6:
            raise RuntimeError("detector")
        return real(self, *args)

    monkeypatch.setattr(Finder, "__call__", find)
    pictures, live = run(picture_style, paced(CLIP[:60]), Negative(), region="person", background="paper")
    check(pictures)
    assert subsequence(["card", "drawn"], states(pictures))
    assert live.said in ([], ["drawing fails, the card is shown: detector"])


def test_a_detector_that_misses_everybody_before_the_room(picture_style, monkeypatch):
    """The matte still sees them."""
    monkeypatch.setattr(Finder, "__call__", lambda *_: [])
    monkeypatch.setattr(region_matte, "PersonMatte", Everywhere)
    pictures, _ = run(picture_style, paced(CLIP[:15]), Negative(), region="person", background="keep")
    check(pictures)


def test_nobody_there(picture_style, monkeypatch):
    monkeypatch.setattr(region_matte, "PersonMatte", Nowhere)
    walls = [Frame(tuple(np.full_like(p, 90) for p in f.planes), f.layout, f.index, f.seconds, f.colour) for f in CLIP]
    pictures, _ = run(picture_style, paced(walls[:20]), Negative(), region="person", background="paper")
    assert states(pictures) == ["card"]


def picture(seed=0, detail=30.0):
    """(180, 320, 3) uint8 RGB: soft shapes with detail on them."""
    rng = np.random.default_rng(seed)
    shapes = np.kron(rng.integers(70, 180, (6, 10, 3)), np.ones((30, 32, 1)))
    return np.clip(shapes + rng.normal(0, detail, shapes.shape), 0, 255).round().astype(np.uint8)


def luma(photo):
    return planes(photo)[: 2 * photo.shape[0]]


def test_a_soft_drawing_hides_and_an_empty_one_does_not():
    photo = portrait_source.picture()[:504, :504]
    smooth = cv2.medianBlur(luma(photo), 9).astype(float)
    assert hides_picture(photo, ((smooth + np.round(smooth / 48) * 48) / 2).astype(np.uint8))
    assert not hides_picture(photo, np.full(smooth.shape, 255, np.uint8))


@pytest.mark.parametrize("enlarge", ["nearest", "linear", "cubic"])
def test_an_echo_is_seen_however_it_is_enlarged(enlarge):
    photo = portrait_source.picture()[:504, :504]
    how = {"nearest": cv2.INTER_NEAREST, "cubic": cv2.INTER_CUBIC}.get(enlarge, cv2.INTER_LINEAR)
    echo = cv2.resize(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), (1008, 1008), interpolation=how)
    assert not hides_picture(photo, echo)
    drawn = 255 - echo
    assert hides_picture(photo, drawn)
    face = np.s_[140:300, 370:520]
    drawn[face] = echo[face]
    assert not hides_picture(photo, drawn)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_flat_walls_may_stay_as_they_are(level):
    wall = np.full((180, 320, 3), level, np.uint8)
    assert hides_picture(wall, luma(wall))
    y, x = np.mgrid[:180, :320]
    shade = np.repeat((x / 2 + y / 3).astype(np.uint8)[..., None], 3, axis=2)
    assert hides_picture(shade, luma(shade))
    corner = shade.copy()
    corner[:100, :100] = picture()[:100, :100]
    drawn = luma(corner)
    assert not hides_picture(corner, drawn)
    drawn[:200, :200] = 255 - drawn[:200, :200]
    assert hides_picture(corner, drawn)
