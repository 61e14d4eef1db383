import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("pytorch_msssim")

from train.data import augment_person, degrade_camera, face_contours, prepare
from train.teachers import ink, wash


@pytest.fixture(scope="module")
def person(request):
    """The portrait as training sees it: crop, mask, contours."""
    from streamtoon.pipeline.find import Finder
    from streamtoon.pipeline.landmarks import Landmarks
    from train.data.person_mask import PersonMask

    picture = request.getfixturevalue("portrait")
    with Finder() as finder:
        canvas, _, _ = prepare.canvas_of(picture, finder, 2.2)
    person = PersonMask()
    image = prepare.middle(canvas)
    mask = person(image)
    person.close()
    return image, mask, face_contours.contours(Landmarks(), image, 2.2)


def area(person, name):
    return ink.polygon(person[0].shape, person[2][name], 0) > 0.5


def test_landmarks_lie_where_the_features_are(person):
    centres = {k: v.mean(axis=0) for k, v in person[2].items()}
    assert centres["right_eye"][0] < 128 < centres["left_eye"][0]
    assert centres["lips"][1] > centres["right_eye"][1] + 25
    assert all(area(person, "oval")[int(y), int(x)] for x, y in centres.values())


def test_drawings_are_repeatable_and_mostly_black_and_white(person):
    first, second = ink.draw(*person), ink.draw(*person)
    assert np.array_equal(first, second)
    assert first.shape == (256, 256)
    assert first.dtype == np.uint8
    assert np.mean((first < 60) | (first > 195)) > 0.75


@pytest.mark.parametrize("teacher", [ink, wash])
def test_darker_skin_is_drawn_darker(person, teacher):
    image, mask, contours = person
    skin = augment_person.skin_area(image, mask, contours)[..., None]
    tones = []
    for gain in (1.0, 0.7, 0.5, 0.35):
        dark = augment_person.complexion(degrade_camera.to_unit(image), skin, gain)
        tones.append(teacher.draw(degrade_camera.to_u8(dark), mask, contours)[area(person, "oval")].mean())
    assert tones == sorted(tones, reverse=True)
    assert tones[0] - tones[-1] > 60


def test_a_dark_patch_is_drawn_dark_and_a_light_one_stays_paper(person):
    image, mask, contours = person
    image = image.copy()
    image[8:40, 8:40], image[8:40, 216:248] = 20, 250
    drawn = ink.draw(image, mask, contours)
    assert drawn[14:34, 14:34].mean() < 40
    assert drawn[14:34, 222:242].mean() > 250


def test_lips_are_spared(person):
    image, mask, contours = person
    lips = area(person, "lips") & ~area(person, "mouth")
    image = image.copy()
    image[lips] = image[lips] // 3  # dark lipstick
    with_lips = ink.tone(image, mask, contours)[::2, ::2]
    without = ink.tone(image, mask, {**contours, "lips": contours["lips"] * 0 + 5, "mouth": contours["mouth"] * 0 + 5})
    assert with_lips[lips].mean() < 0.6 * without[::2, ::2][lips].mean()


def test_strokes_cover_what_they_are_asked_to():
    for coverage in (0.0, 0.15, 0.3, 0.5, 0.7, 1.0):
        ink_mean = ink.strokes(np.full((512, 512), coverage, np.float32), 256).mean()
        assert ink_mean == pytest.approx(coverage, abs=0.06)


def test_views_repeat_by_seed_and_differ_between_seeds(person):
    image, mask, contours = person
    wide = np.pad(image, ((32, 32), (32, 32), (0, 0)), "edge")
    masks, moved = np.pad(mask, 32, "edge"), {k: v + 32 for k, v in contours.items()}
    views = [augment_person.compose(np.random.default_rng(s), wide, masks, moved, [image]) for s in (3, 3, 4)]
    assert np.array_equal(views[0][0], views[1][0])
    assert not np.array_equal(views[0][0], views[2][0])
    assert views[0][0].shape == (256, 256, 3)
    assert views[0][1].shape == (256, 256)


def test_contours_follow_a_flip(person):
    image, mask, contours = person
    wide = np.pad(image, ((32, 32), (32, 32), (0, 0)), "edge")
    masks, moved = np.pad(mask, 32, "edge"), {k: v + 32 for k, v in contours.items()}
    for seed in range(6):
        _, _, found = augment_person.pose(np.random.default_rng(seed), wide, masks, moved)
        assert found["right_eye"][:, 0].mean() < found["left_eye"][:, 0].mean()
        assert found["lips"][:, 1].mean() > found["left_eye"][:, 1].mean()


@pytest.mark.parametrize("kind", degrade_camera.FIXED_DEGRADATIONS)
def test_fixed_degradations_are_fixed(person, kind):
    assert np.array_equal(degrade_camera.fixed(kind, person[0], 1), degrade_camera.fixed(kind, person[0], 1))
