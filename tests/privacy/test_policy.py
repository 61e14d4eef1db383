"""What the wish for privacy means, without a picture being drawn."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from engines import MAX_BATCH
from streamtoon.privacy.departed_faces import DepartedFaces
from streamtoon.privacy.drawn_check import differs_from_photo, hides_face
from streamtoon.privacy.policy import (
    COAST_SECONDS,
    LOOK_FRAMES,
    MIN_FACE_PX,
    PRIVATE_COAST_SECONDS,
    PRIVATE_LOOK_FRAMES,
    PRIVATE_OVAL_SCALE,
    Policy,
    default_background,
)
from streamtoon.types import Crop, Face, Frame

FILM, ROOM, PAPER = Policy(False, "head", "keep"), Policy(True, "head", "keep"), Policy(True, "head", "paper")
WIDE = Frame((np.zeros((600, 800, 3), np.uint8),), "rgb24", 0, Fraction(0))


def face(x, y, width, **changes):
    points = np.array([(-0.25, -0.2), (0.25, -0.2), (0, 0.1), (0, 0.3), (-0.5, 0), (0.5, 0)]) * width + (x, y)
    half = width / 2
    box = np.array([x - half, y - half, x + half, y + half], np.float32)
    return Face(box, points.astype(np.float32), 0.9, **changes)


def on_its_side(one):
    return replace(one, keypoints=np.ascontiguousarray(one.keypoints[:, ::-1] * (-1, 1)).astype(np.float32))


def test_a_film_waits_for_nothing_and_hides_nobody():
    assert (FILM.coast_seconds, FILM.look_frames, FILM.oval_scale) == (COAST_SECONDS, LOOK_FRAMES, 1.0)
    assert not FILM.careful
    assert not FILM.look_in_parts
    assert not FILM.in_doubt([face(400, 300, 100, found=False)])


def test_private_is_more_patient_and_looks_more_often():
    for policy in (ROOM, PAPER):
        assert (policy.coast_seconds, policy.look_frames) == (PRIVATE_COAST_SECONDS, PRIVATE_LOOK_FRAMES)
    assert ROOM.oval_scale == PRIVATE_OVAL_SCALE
    assert PAPER.oval_scale == 1.0
    assert PAPER.look_in_parts  # nobody shows on paper before being found
    assert not ROOM.look_in_parts


@pytest.mark.parametrize(
    ("region", "background", "careful"),
    [("head", "keep", True), ("face", "keep", True), ("frame", "keep", False), ("head", "blur", False)],
)
def test_doubt_counts_where_the_room_stays(region, background, careful):
    policy = Policy(True, region, background)
    sure = face(400, 300, 100)
    assert policy.careful is careful
    assert not policy.in_doubt([sure])
    assert policy.in_doubt([sure, replace(sure, found=False)]) is careful
    assert abs(on_its_side(sure).roll) > 60
    assert policy.in_doubt([on_its_side(sure)]) is careful


def test_the_room_does_not_stay_unless_it_is_asked_for():
    assert default_background("keep", private=True) == "paper"
    assert default_background("blur", private=False) == "blur"


@pytest.mark.parametrize(("policy", "alone"), [(FILM, False), (Policy(False, "head", "paper"), True), (PAPER, False)])
def test_a_background_alone(policy, alone):
    assert policy.background_alone_leaves is alone


def test_in_private_who_is_not_drawn_is_covered():
    large, middle, tiny = face(100, 100, 150), face(400, 300, 80), face(700, 500, MIN_FACE_PX - 1)
    everybody = [middle, large, tiny]
    assert FILM.choose(everybody, "all", WIDE) == (everybody, [])
    assert FILM.choose(everybody, "largest", WIDE) == ([large], [])
    assert ROOM.choose(everybody, "all", WIDE) == ([large, middle], [tiny])
    assert ROOM.choose(everybody, "largest", WIDE) == ([large], [middle, tiny])
    assert ROOM.choose(everybody, "centre", WIDE) == ([middle], [large, tiny])
    crowd = [face(50 + 70 * i, 300, 60 + i) for i in range(MAX_BATCH + 2)]
    drawn, covered = ROOM.choose(crowd, "all", WIDE)
    assert (len(drawn), len(covered)) == (MAX_BATCH, 2)


def crop(value=None):
    noise = np.random.default_rng(3).integers(0, 256, (64, 64, 3), np.uint8)
    return Crop(noise if value is None else np.full((64, 64, 3), value, np.uint8), np.eye(2, 3))


def rgba(image):
    return np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])


def test_an_empty_sheet_and_the_photo_itself_hide_no_face():
    photo = crop()
    assert hides_face(photo, rgba(255 - photo.image))
    assert not hides_face(photo, rgba(photo.image))
    assert not hides_face(photo, rgba(np.full_like(photo.image, 255)))
    only_around = 255 - photo.image
    only_around[16:52, 16:48] = photo.image[16:52, 16:48]
    assert not hides_face(photo, rgba(only_around))


def test_a_scene_is_judged_as_a_whole():
    photo, wall = crop(), crop(255)
    assert differs_from_photo([], [])
    assert differs_from_photo([photo, wall], [rgba(255 - photo.image), rgba(wall.image)])
    assert not differs_from_photo([photo, wall], [rgba(photo.image), rgba(wall.image)])


def test_drawings_leave_only_if_each_hides_its_face_and_the_scene_is_drawn():
    photo = crop()
    good, bad = rgba(255 - photo.image), rgba(photo.image)
    assert ROOM.hidden([photo, photo], [good, good], [photo], [good])
    assert not ROOM.hidden([photo, photo], [good, bad], [photo], [good])
    assert not ROOM.hidden([photo], [good], [photo], [bad])
    with pytest.raises(ValueError, match="shorter"):
        ROOM.hidden([photo, photo], [good], [], [])


def test_who_left_at_the_border_stays_covered_until_found_there_again():
    departed = DepartedFaces()
    leaving, inside = face(60, 300, 100, id=1), face(400, 300, 100, id=2)
    assert departed([leaving, inside], WIDE) == []
    assert departed([], WIDE) == [leaving]  # the one inside was lost for another reason
    assert departed([], WIDE) == [leaving]
    assert departed([face(70, 300, 100, id=3, found=False)], WIDE) == [leaving]
    assert departed([face(70, 300, 100, id=3)], WIDE) == []
    departed([leaving], WIDE)
    departed.forget()
    assert departed([], WIDE) == []
