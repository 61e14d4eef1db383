"""What is remembered goes by shots, whatever the frames' layout is."""

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
from calls import Ink
from PIL import Image

from streamtoon import sources
from streamtoon.image.planes import to_rgb
from streamtoon.pipeline.toon import Toon
from streamtoon.sources import images


def photos(folder, pictures, names="frame_{:04}.png"):
    folder.mkdir()
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / names.format(number))
    return folder


def frames(target):
    with sources.open(str(target)) as source:
        return list(source.frames())


@pytest.fixture(scope="module")
def film():
    """Two dozen frames of the moving portrait as RGB."""
    with sources.open("portrait:24@640x360") as source:
        return [to_rgb(f.planes, f.layout, f.colour) for f in source.frames()]


def lossless(path, pictures):
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=images.FOLDER_FPS)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "bgr0"
        for picture in pictures:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        out.mux(stream.encode(None))
    return path


def seen(style, target):
    with Toon(style, Ink(), steady=True) as toon:
        return [toon.see(frame) for frame in frames(target)]


def test_a_folder_of_frames_is_as_steady_as_the_film(style, film, tmp_path):
    """The same tracks and the same crops; the film's frames are yuv420p, so that the detectors see a little else."""
    folder = seen(style, photos(tmp_path / "frames", film))
    whole = seen(style, lossless(tmp_path / "film.mkv", film))
    assert [f.frame.layout for f in (folder[0], whole[0])] == ["rgb24", "yuv420p"]
    assert [[face.id for face in one.faces] for one in folder] == [[face.id for face in one.faces] for one in whole]
    places = [np.array([one.heads[0].to_crop for one in way]) for way in (folder, whole)]
    stays = [(np.abs(np.diff(way, axis=0)).max(axis=(1, 2)) == 0) for way in places]
    assert stays[0].sum() > 12  # most of the time the crop holds still
    assert np.array_equal(*stays)
    assert np.abs(places[0] - places[1])[..., 2].max() < 2  # px of the crop
    for one, other in zip(folder, whole, strict=True):
        assert np.abs(one.heads[0].image.astype(int) - other.heads[0].image).mean() < 4


def test_a_folder_of_frames_is_drawn_as_one_shot(style, film, tmp_path):
    read = frames(photos(tmp_path / "frames", film))
    assert {(f.shot, f.still, f.duration) for f in read} == {(0, False, Fraction(1, images.FOLDER_FPS))}
    as_stills = [replace(f, still=True) for f in read]
    with Toon(style, Ink(), steady=True) as toon:
        shots = [toon(f).planes[0] for f in read]
    with Toon(style, Ink(), steady=True) as toon:
        alone = [toon(f).planes[0] for f in as_stills]
    assert any(not np.array_equal(a, b) for a, b in zip(shots, alone, strict=True))


def test_unrelated_photos_are_independent_of_their_order(style, portrait, tmp_path):
    walls = np.full((512, 512, 3), (90, 120, 60), np.uint8)
    people = [portrait, np.ascontiguousarray(255 - portrait[:, ::-1]), walls, np.ascontiguousarray(portrait[:, ::-1])]
    with Toon(style, Ink(), steady=True) as toon:
        there = [toon(f) for f in frames(photos(tmp_path / "a", people))]
    with Toon(style, Ink(), steady=True) as toon:
        back = [toon(f) for f in frames(photos(tmp_path / "b", people[::-1]))][::-1]
    assert [d.state for d in there] == [d.state for d in back]
    assert {"drawn", "passthrough"} == {d.state for d in there}
    for one, other in zip(there, back, strict=True):
        assert np.array_equal(one.planes[0], other.planes[0])


def test_pictures_of_another_name_size_or_look_begin_a_shot(film, tmp_path):
    folder = photos(tmp_path / "mixed", film[:2])
    Image.fromarray(film[2]).save(folder / "other_0002.png")  # the name
    Image.fromarray(film[3][:-2]).save(folder / "other_0003.png")  # the size
    Image.fromarray(255 - film[4][:-2]).save(folder / "other_0004.png")  # the look
    Image.fromarray(255 - film[5][:-2]).save(folder / "other_0005.png")  # nothing
    assert [f.shot for f in frames(folder)] == [0, 0, 1, 2, 3, 3]


def test_one_picture_is_a_still(portrait, tmp_path):
    folder = photos(tmp_path / "one", [portrait])
    assert [f.still for f in frames(folder / "frame_0000.png")] == [True]


@pytest.mark.parametrize("dropped", [0, 1])
def test_a_new_shot_is_seen_where_live_dropped_its_first_frame(style, film, dropped):
    """The same wall in two shots: nothing of the first is held for the second, nor is anybody followed into it."""
    with sources.open("portrait:1@640x360") as source:
        (person,) = source.frames()
    wall = replace(person, planes=tuple(np.full_like(p, 118) for p in person.planes))
    empty = [replace(wall, index=i, seconds=Fraction(i, 30), shot=1) for i in range(1, 4)]
    with Toon(style, Ink(), private=True) as toon:
        states = [toon(frame).state for frame in [person, *empty[dropped:]]]
    assert states == ["drawn", *["card"] * (3 - dropped)]
    with Toon(style, Ink(), private=True) as toon:
        states = [toon(frame).state for frame in [person, *(replace(f, shot=0) for f in empty)]]
    assert "card" not in states  # in one shot it is held or followed
