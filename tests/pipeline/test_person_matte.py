"""People are found whole, edges lie on the picture's, what stands still stays, what moves is followed at once."""

import hashlib

import cv2
import numpy as np
import pytest

from streamtoon.errors import ModelError
from streamtoon.pipeline import face_models, guided_filter, person_matte
from streamtoon.pipeline.person_matte import PersonMatte
from streamtoon.types import Crop, Face

PORTRAIT = face_models.PERSON_NET.with_name("portrait.webp")


@pytest.fixture(scope="module")
def photo():
    """(480, 480, 3) RGB of one person, waist up."""
    picture = cv2.imdecode(np.fromfile(PORTRAIT, np.uint8), cv2.IMREAD_COLOR)
    return np.ascontiguousarray(cv2.resize(picture, (480, 480), interpolation=cv2.INTER_AREA)[..., ::-1])


@pytest.fixture(scope="module")
def loaded():
    with PersonMatte() as matte:
        yield matte


@pytest.fixture
def matte(loaded):
    loaded.forget()
    return loaded


def luma(picture):
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)


def face(x0, y0, x1, y1):
    return Face(np.array([x0, y0, x1, y1], np.float32), np.zeros((6, 2), np.float32), 1.0)


def answers(matte, monkeypatch, people):
    """The network says ``people``, (256, 256), of the whole picture, whatever it sees."""
    answer = [np.asarray(people, np.float32)]
    monkeypatch.setattr(matte, "_people", lambda _picture, size: cv2.resize(answer[0], size))
    return answer


def test_the_file_is_the_one_that_was_converted():
    digest = hashlib.sha256(face_models.PERSON_NET.read_bytes()).hexdigest()
    assert digest == "c32c9581ad0b716dfad0793558ee569b99d98472b2a545b9664e3725e4a885e4"


def test_a_damaged_file_says_what_to_do(tmp_path, monkeypatch):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"nothing")
    monkeypatch.setattr(face_models, "PERSON_NET", broken)
    with pytest.raises(ModelError, match=r"broken.onnx cannot be read; install streamtoon again"):
        PersonMatte()


def test_a_person_is_found_whole(matte, photo):
    found = matte(photo, luma(photo))
    assert found.dtype == np.uint8
    assert found.shape == (480, 480)
    assert found[40:300, 182:230].min() == 255  # from the hair to the chest, with the ring of the suit
    assert found[350:, 80:400].min() == 255  # the suit
    assert found[:150, :90].max() == 0  # the flag
    assert found[:220, 330:].max() == 0  # the rocket


@pytest.mark.parametrize("shape", [(720, 1280), (721, 1283), (1280, 720), (2160, 3840), (16, 16), (1, 40), (600, 30)])
def test_every_size(matte, photo, shape):
    """Also where blocks of the grid are not whole: there is no seam and no border."""
    big = cv2.resize(photo, shape[::-1])
    found = matte(photo, luma(big))
    assert found.shape == shape
    if min(shape) >= 480:
        first = cv2.resize(matte(photo, luma(photo)), shape[::-1])
        assert np.abs(found.astype(int) - first).mean() < 4
        assert found[-1, shape[1] // 2] == 255


def test_strips_have_no_seams(monkeypatch):
    rng = np.random.default_rng(0)
    slope, offset = (cv2.blur(rng.random((40, 50), np.float32), (9, 9)) for _ in range(2))
    grey = rng.integers(0, 256, (122, 151), np.uint8)
    monkeypatch.setattr(guided_filter, "STRIP_ROWS", 7)
    strips = guided_filter.apply(slope, 50 * offset, grey, 3)
    monkeypatch.setattr(guided_filter, "STRIP_ROWS", 1000)
    assert np.array_equal(strips, guided_filter.apply(slope, 50 * offset, grey, 3))
    assert strips.std() > 30


def test_the_edge_lies_on_the_picture_s_edge(matte, monkeypatch):
    """The network is off by 5 px; the picture has a clear edge there."""
    people = np.zeros((256, 256))
    people[:, 130:] = 1
    answers(matte, monkeypatch, cv2.blur(people, (5, 5)))
    grey = np.full((480, 640), 60, np.uint8)
    grey[:, 320:] = 180
    found = matte(np.zeros((240, 320, 3), np.uint8), grey)
    assert found[:, :318].max() < 60
    assert found[:, 326:].min() > 240


def test_noise_moves_it_hardly(matte, monkeypatch):
    rng = np.random.default_rng(1)
    shape, raw, shown = np.hstack([np.zeros((256, 128)), np.ones((256, 128))]), [], []
    for _ in range(24):
        people = np.clip(cv2.blur(shape, (31, 31)) + cv2.blur(rng.normal(0, 0.8, (256, 256)), (9, 9)), 0, 1)
        answers(matte, monkeypatch, people)
        grey = np.clip(120 + rng.normal(0, 4, (240, 320)), 0, 255).astype(np.uint8)
        shown.append(matte(np.zeros((240, 320, 3), np.uint8), grey))
        matte_alone = matte._seen
        matte.forget()
        raw.append(matte(np.zeros((240, 320, 3), np.uint8), grey))
        matte._seen = matte_alone
    before, after = (np.abs(np.diff(np.array(x[8:], float), axis=0)).mean() for x in (raw, shown))
    assert after < 0.25 * before


def film(at):
    """A light bar of 40 px at ``at`` in front of the dark, and where the network sees it."""
    grey, people = np.full((240, 320), 60, np.uint8), np.zeros((256, 256), np.float32)
    grey[:, at : at + 40] = 200
    people[:, round(at * 0.8) : round((at + 40) * 0.8)] = 1
    return grey, people


def test_what_moves_is_followed_at_once_and_leaves_no_ghost(matte, monkeypatch):
    picture = np.zeros((240, 320, 3), np.uint8)
    for at in [40] * 8 + [60, 80, 100, 180]:
        grey, people = film(at)
        answers(matte, monkeypatch, people)
        found = matte(picture, grey)
        assert found[100, at + 4 : at + 36].min() > 240
        assert found[100, : max(0, at - 4)].max(initial=0) < 20
        assert found[100, at + 46 :].max() < 20


def test_who_leaves_unseen_fades_within_frames(matte, monkeypatch):
    """As dark as what is behind: the picture hardly changes, the network says that nobody is there any more."""
    picture, grey = np.zeros((240, 320, 3), np.uint8), np.full((240, 320), 40, np.uint8)
    answers(matte, monkeypatch, np.ones((256, 256)))
    for _ in range(5):
        assert matte(picture, grey).min() == 255
    answers(matte, monkeypatch, np.zeros((256, 256)))
    seen = [int(matte(picture, grey).max()) for _ in range(6)]
    assert seen[3] < 40
    assert seen[5] == 0


def test_another_shot_begins_anew(matte, monkeypatch):
    picture, grey = np.zeros((240, 320, 3), np.uint8), np.full((240, 320), 40, np.uint8)
    answers(matte, monkeypatch, np.ones((256, 256)))
    matte(picture, grey)
    matte.forget()
    answers(matte, monkeypatch, np.zeros((256, 256)))
    assert matte(picture, grey).max() == 0


def test_distant_people_are_looked_at_again(matte, photo):
    """A person 90 px high in a wide picture: the look finds them whole and nothing beside them."""
    scene = np.full((720, 1280, 3), 150, np.uint8)
    scene[300:390, 900:990] = cv2.resize(photo, (90, 90), interpolation=cv2.INTER_AREA)
    picture = cv2.resize(scene, (640, 360), interpolation=cv2.INTER_AREA)
    found = matte(picture, luma(scene), [face(931, 311, 951, 333)])
    assert found[312:385, 934:944].mean() > 220
    assert found[:290].max() == found[:, :880].max() == found[:, 1010:].max() == 0
    matte.forget()
    half = matte(picture, luma(scene)[::2, ::2].copy(), [face(931, 311, 951, 333)], 1280)
    assert np.abs(half.astype(int) - found[::2, ::2]).mean() < 1


def answers_by_size(matte, monkeypatch, whole, look):
    """The network says ``whole`` of the whole picture of 640 px, and ``look`` of every square."""
    monkeypatch.setattr(
        matte, "_people", lambda seen, size: np.full(size[::-1], whole if seen.shape[1] == 640 else look, np.float32)
    )


FAR, NEAR = np.s_[:, :100], np.s_[:, 500:700]  # beyond the look at THERE, and within it
THERE = face(500, 300, 700, 500)
WIDE = np.zeros((360, 640, 3), np.uint8), np.full((720, 1280), 90, np.uint8)


def test_a_look_has_the_word_where_it_looks(matte, monkeypatch):
    answers_by_size(matte, monkeypatch, whole=0.0, look=1.0)
    found = matte(*WIDE, [THERE])
    assert found[NEAR].min() == 255
    assert found[FAR].max() == 0
    matte.forget()
    answers_by_size(matte, monkeypatch, whole=1.0, look=0.0)
    assert matte(*WIDE, [THERE])[NEAR].max() == 0


def test_where_the_look_does_not_know_the_whole_picture_decides(matte, monkeypatch):
    for whole, shown in ((0.0, 0), (1.0, 255)):
        matte.forget()
        answers_by_size(matte, monkeypatch, whole=whole, look=0.5)
        assert (matte(*WIDE, [THERE])[NEAR] == shown).all()


def test_a_whole_picture_that_errs_within_the_look_is_doubted_beyond(matte, monkeypatch):
    answers_by_size(matte, monkeypatch, whole=0.6, look=0.6)
    assert matte(*WIDE, [THERE])[FAR].min() > 200
    matte.forget()
    answers_by_size(matte, monkeypatch, whole=0.6, look=0.1)
    assert matte(*WIDE, [THERE])[FAR].max() == 0


def test_looks_are_few_and_square_and_within_the_picture():
    faces = [np.array([x, y, x + 20, y + 24], np.float32) for x in range(0, 620, 70) for y in (2, 170, 330)]
    looks = person_matte._looks(faces, (360, 640), [])
    assert len(looks) == person_matte.MAX_LOOKS
    assert all(0 <= a < c <= 640 and 0 <= b < d <= 360 and c - a == d - b for a, b, c, d in looks)
    large = np.array([300, 100, 480, 300], np.float32)
    assert person_matte._looks([large], (360, 640), []) == [(210, 0, 570, 360)]
    assert person_matte._looks([large], (360, 420), []) == []  # nearly the whole picture


def test_a_look_stays_while_the_face_hardly_moves():
    first = person_matte._looks([np.array([300, 100, 340, 150], np.float32)], (360, 640), [])
    assert person_matte._looks([np.array([304, 103, 345, 153], np.float32)], (360, 640), first) == first
    assert person_matte._looks([np.array([334, 103, 375, 153], np.float32)], (360, 640), first) != first


def head(x, y, side, size=64, degrees=0.0):
    """A crop of a head: a square of ``side`` px around (x, y), in ``size`` px."""
    affine = cv2.getRotationMatrix2D((x, y), degrees, size / side)
    affine[:, 2] += (size - 1) / 2 - np.array([x, y])
    return Crop(np.zeros((size, size, 3), np.uint8), affine)


def cut(frame, crop):
    """``crop`` with its picture, cut out of (h, w, 3) uint8 RGB."""
    size = crop.image.shape[:2]
    return Crop(cv2.warpAffine(frame, crop.to_crop, size, borderMode=cv2.BORDER_REPLICATE), crop.to_crop)


@pytest.mark.parametrize("degrees", [0.0, 30.0])
@pytest.mark.parametrize("width", [480, 1280])
def test_on_a_crop_it_is_what_it_is_on_the_picture(matte, photo, width, degrees):
    frame = cv2.resize(photo, (width, width))
    place = head(0.45 * width, 0.22 * width, 0.45 * width, 256, degrees)
    (found,) = matte.on_crops(photo, width, [cut(frame, place)])
    matte.forget()
    whole = cv2.warpAffine(matte(photo, luma(frame)), place.to_crop, (256, 256))
    assert (found > 127)[whole > 250].mean() > 0.99
    assert (found < 127)[whole < 5].mean() > 0.97
    assert found.min() == 0


def test_crops_are_placed_to_the_pixel(matte, monkeypatch):
    """An edge of the picture that the network roughly knows is found in the crop where it is."""
    frame = np.full((480, 640, 3), 60, np.uint8)
    frame[:, 301:] = 190
    monkeypatch.setattr(matte, "_people", lambda seen, size: cv2.resize((seen[..., 0] > 127).astype(np.float32), size))
    place = head(300, 240, 64, 128)  # twice as large
    (found,) = matte.on_crops(cv2.resize(frame, (320, 240), interpolation=cv2.INTER_AREA), 640, [cut(frame, place)])
    edge = 63.5 + (300.5 - 300) * 2
    assert found[:, : int(edge) - 2].max() < 64
    assert found[:, int(edge) + 3 :].min() > 191


def test_an_answer_serves_twice_where_no_head_moves(matte, photo, monkeypatch):
    asked, real = [], matte._looked
    monkeypatch.setattr(matte, "_looked", lambda *given: asked.append(1) or real(*given))
    frame, small = cv2.resize(photo, (640, 640)), cv2.resize(photo, (320, 320))

    def look(x, *more):
        matte.on_crops(small, 640, [cut(frame, head(x, 140, 290)), *(cut(frame, head(*place)) for place in more)])
        return len(asked)

    assert [look(x) for x in (290, 291, 291, 291, 320, 320)] == [1, 1, 2, 2, 3, 3]
    assert [look(320), look(320, (600, 600, 40)), look(320, (600, 600, 40))] == [4, 5, 5]
    matte.forget()
    assert look(320, (600, 600, 40)) == 6


def test_every_head_is_looked_at_and_neighbours_together():
    shape = (240, 426)
    looked = person_matte._head_looks([head(640, 360, 300, degrees=45)], shape, 1 / 3)
    assert looked == [(123, 30, 304, 211)]
    beside = [head(640, 360, 200), head(720, 380, 100), head(200, 360, 100)]
    assert len(person_matte._head_looks(beside, shape, 1 / 3)) == 2
    crowd = [head(100 + 150 * i, 300, 60) for i in range(8)]
    looks = person_matte._head_looks(crowd, shape, 1 / 3)
    assert looks[0] == (0, 0, 426, 240)  # those that are not looked at are seen there
    assert len(looks) == person_matte.MAX_LOOKS + 1


@pytest.mark.parametrize("place", [(0, 0, 90), (639, 479, 2000), (-400, 900, 40), (320, 240, 1)])
def test_heads_over_the_border_and_as_small_as_a_pixel(matte, photo, place):
    frame = cv2.resize(photo, (640, 480))
    (found,) = matte.on_crops(cv2.resize(photo, (320, 240)), 640, [cut(frame, head(*place))])
    assert found.shape == (64, 64)
