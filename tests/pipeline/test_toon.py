"""The whole of one frame's way, with echo and with networks scripted to go wrong."""

import contextlib
from fractions import Fraction

import cv2
import numpy as np
import pytest

from engines import EngineError
from engines.runtimes import echo
from streamtoon import style_folder as styles
from streamtoon.pipeline.person_matte import PersonMatte
from streamtoon.pipeline.timings import Meter
from streamtoon.pipeline.toon import Toon
from streamtoon.privacy import policy
from streamtoon.sources import portrait as source
from streamtoon.types import Frame


class Ink:
    """Paints every crop one colour, everywhere."""

    name, device = "ink", "none"
    closed = False

    def __call__(self, crops):
        drawn = np.zeros((*crops.shape[:3], 4), np.uint8)
        drawn[..., 0], drawn[..., 3] = 255, 255
        return drawn

    def close(self):
        self.closed = True


@pytest.fixture
def style(style_folder):
    return styles.load(str(style_folder()))


def two_people(portrait, still):
    scene = np.full((512, 1024, 3), 120, np.uint8)
    scene[:, :512], scene[:, 512:] = portrait, portrait[:, ::-1]
    return still(scene)


def test_every_face_is_drawn(style, portrait, still):
    frame = two_people(portrait, still)
    with Toon(style, Ink()) as toon:
        drawn = toon(frame)
    assert (drawn.faces, drawn.state) == (2, "drawn")
    for x in (224, 1023 - 224):
        assert np.array_equal(drawn.planes[0][110, x], (255, 0, 0))


def test_more_faces_than_a_batch(style, portrait, still):
    small = cv2.resize(portrait, (320, 320), interpolation=cv2.INTER_AREA)[:288]
    scene = np.vstack([np.hstack([small] * 3)] * 3)
    with Toon(style, Ink()) as toon:
        drawn = toon(still(scene))
    assert drawn.faces == 9


@pytest.mark.parametrize("region", ["face", "head", "frame"])
def test_regions(style, moved, region):
    with Toon(style, Ink(), region=region) as toon:
        drawn = toon(moved[0])
    red = np.abs(drawn.planes[2].astype(int) - 240) < 12  # Cr of red
    share = red.mean()
    low, high = {"face": (0.02, 0.2), "head": (0.25, 0.7), "frame": (0.999, 1.0)}[region]
    assert low <= share <= high
    assert red[88, 160 // 1]  # the nose, about the middle of the picture


@pytest.mark.parametrize("background", ["paper", "blur", "draw"])
def test_a_background_is_replaced_in_faceless_frames_too(style, still, background):
    board = (np.indices((360, 640)).sum(axis=0) // 8 % 2 * 150 + 50).astype(np.uint8)
    frame = still(np.repeat(board[:, :, None], 3, axis=2))
    with Toon(style, Ink(), background=background) as toon:
        drawn = toon(frame)
    assert drawn.state == "drawn"
    assert (drawn.planes[0] == frame.planes[0]).mean() < 0.2


def test_private_replaces_the_room_and_shows_a_card(style, still):
    blank = still(np.full((360, 640, 3), 77, np.uint8))
    with Toon(style, Ink(), private=True, background="keep") as toon:
        drawn = toon(blank)
    assert drawn.state == "card"
    with Toon(style, Ink(), private=True) as toon:
        assert toon.background == "paper"


def test_a_frame_without_a_face_is_kept_as_it_is(style, still):
    blank = still(np.full((360, 640, 3), 77, np.uint8))
    with Toon(style, Ink()) as toon:
        drawn = toon(blank)
    assert drawn.state == "passthrough"
    assert drawn.planes[0] is blank.planes[0]


@pytest.mark.parametrize(
    "answer",
    [
        np.zeros((1, 256, 256, 3), np.uint8),
        np.zeros((1, 256, 256, 4), np.float32),
        np.zeros((1, 128, 128, 4), np.uint8),
    ],
)
def test_an_engine_that_breaks_the_contract_is_an_error(style, moved, answer):
    class Broken(Ink):
        def __call__(self, _crops):
            return answer

    with Toon(style, Broken()) as toon, pytest.raises(EngineError, match="ink gave"):
        toon(moved[0])


def test_the_engine_is_closed(style):
    engine = Ink()
    with Toon(style, engine):
        assert not engine.closed
    assert engine.closed


def test_a_head_is_pasted_where_it_was(style, moved):
    with Toon(style, echo.Echo(None)) as toon:
        for frame in moved:
            drawn = toon(frame)
            difference = np.abs(drawn.planes[0].astype(int) - frame.planes[0])
            assert difference.mean() < 1.5


def test_the_stages_are_the_whole(style, moved):
    with Toon(style, Ink()) as one, Toon(style, Ink()) as other:
        for frame in moved[:4]:
            a, b = one(frame), other.blend(other.draw(other.see(frame)))
            assert all(np.array_equal(p, q) for p, q in zip(a.planes, b.planes, strict=True))


@pytest.mark.parametrize(
    ("options", "more"),
    [
        ({}, {"matte"}),
        ({"private": True}, {"matte", "check"}),
        ({"steady": True}, {"matte", "steady"}),
        ({"region": "frame"}, set()),
    ],
)
def test_the_meter_has_a_row_for_every_verb(style, moved, options, more):
    with Toon(style, Ink(), **options) as toon:
        toon(moved[0])
        assert set(toon.meter.medians()) == {"find", "crop", "draw", "blend"} | more


def test_no_inference_is_timed_as_blending(style_folder, portrait, still, monkeypatch):
    """The person matte and the look at what was drawn run while their own rows are timed."""
    running, seen = [], {}

    class Watched(Meter):
        @contextlib.contextmanager
        def __call__(self, verb):
            with super().__call__(verb):
                running.append(verb)
                yield
                running.pop()

    def watch(owner, name):
        real = getattr(owner, name)

        def watched(*args):
            seen[name] = list(running)
            return real(*args)

        monkeypatch.setattr(owner, name, watched)

    watch(PersonMatte, "_people")
    watch(policy, "hides_face")
    with Toon(styles.load(str(style_folder(matte="model"))), Ink(), private=True, meter=Watched()) as toon:
        toon(still(np.ascontiguousarray(portrait)))
    assert seen == {"_people": ["matte"], "hides_face": ["check"]}


def test_a_style_without_a_matte_asks_where_people_are(style_folder, portrait, still):
    style = styles.load(str(style_folder(matte="model")))
    with Toon(style, Ink()) as toon:
        drawn = toon(still(portrait))
    assert np.array_equal(drawn.planes[0][110, 224], (255, 0, 0))
    assert not np.array_equal(drawn.planes[0][60, 340], (255, 0, 0))  # the wall stays


def test_an_odd_sized_frame(style, portrait):
    from streamtoon.image.planes import from_rgb
    from streamtoon.types import Colour

    planes = from_rgb(np.ascontiguousarray(portrait[:401, :451]), "yuv420p", Colour())
    frame = Frame(tuple(np.ascontiguousarray(p) for p in planes), "yuv420p", 0, Fraction(0))
    with Toon(style, Ink()) as toon:
        assert toon(frame).faces == 1


@pytest.mark.parametrize("matte", ["net", "model"])
def test_stills_know_nothing_of_each_other(style_folder, matte, portrait, still):
    """Two people at nearly the same place in two pictures: no smoothing, no coasting, nothing held."""
    style = styles.load(str(style_folder(matte=matte)))
    moved = np.roll(portrait, 12, axis=1)
    wall = np.full((512, 512, 3), 128, np.uint8)
    with Toon(style, Ink()) as toon, Toon(style, Ink()) as fresh:
        toon(still(portrait, 0))
        after, alone = toon(still(moved, 1)), fresh(still(moved, 1))
        assert np.array_equal(after.planes[0], alone.planes[0])
        assert toon(still(wall, 2)).state == "passthrough"
    with Toon(style, Ink(), private=True) as toon:
        assert [toon(still(p, i)).state for i, p in enumerate((portrait, wall))] == ["drawn", "card"]


def test_a_face_that_was_found_is_drawn_even_where_the_matte_sees_nobody(style, moved):
    class Blind(Ink):
        def __call__(self, crops):
            drawn = super().__call__(crops)
            drawn[..., 3] = 0
            return drawn

    with Toon(style, Blind()) as toon:
        for frame in moved[:3]:
            drawn, truth = toon(frame), source.motion(frame.index, 640, 360)
            for point in ((203, 101), (250, 101), (226, 140)):  # eyes and mouth
                x, y = (truth @ (*point, 1) / 2).round().astype(int)
                assert abs(int(drawn.planes[2][y, x]) - 240) < 12  # Cr of red
            assert np.array_equal(drawn.planes[0][:20], frame.planes[0][:20])


def careful(style, **options):
    return Toon(style, Ink(), private=True, background="keep", **options)


def test_private_a_face_that_was_lost_is_not_drawn_where_it_was(style, monkeypatch):
    """It may have moved on, and the camera's picture is all around: the last picture it was found in is held."""
    moved = list(source.read("portrait:24@640x360"))
    with careful(style) as toon:
        first = toon(moved[0])
        monkeypatch.setattr(toon._people, "_find", lambda *_: [])
        after = [toon(frame) for frame in moved[1:]]
        monkeypatch.undo()
    assert first.state == "drawn"
    assert {d.state for d in after[:14]} == {"held"}
    assert {d.state for d in after[15:]} == {"card"}


def test_private_a_head_on_its_side_is_not_trusted(style, portrait, still):
    """The detectors' points lie beside such a face, and so would the drawing."""
    turn = cv2.getRotationMatrix2D((224, 110), 90, 1.0)
    turn[:, 2] += (256 - 224, 256 - 110)
    side = still(cv2.warpAffine(portrait, turn, (512, 512), borderMode=cv2.BORDER_REPLICATE))
    with Toon(style, Ink()) as toon:
        (face,) = toon.see(side).faces
    assert abs(face.roll) > 60
    with careful(style) as toon:
        assert toon(side).state == "card"


def test_private_a_scene_that_is_still_the_photo_does_not_leave(style, portrait, still):
    """Region "frame" draws without a face too; an engine that gives its input back hides nothing."""
    empty = np.ascontiguousarray(portrait[::-1])
    with Toon(style, echo.Echo(None), private=True, region="frame") as toon:
        assert toon(still(empty)).state == "card"
