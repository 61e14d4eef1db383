"""Pictures are read in people's order, upright, as RGB."""

import numpy as np
import pytest
from PIL import Image

from streamtoon import sources
from streamtoon.errors import SourceError, UsageError
from streamtoon.sources import images


def read(target):
    with sources.open(target) as source:
        yield from source.frames()


def shade(value, size=(24, 16)):
    return Image.new("RGB", size, (value, 0, 0))


def test_a_folder_comes_in_the_order_people_count(tmp_path):
    for n in (10, 9, 1):
        shade(n).save(tmp_path / f"shot {n}.png")
    (tmp_path / "notes.txt").write_text("no picture", encoding="utf-8")
    (tmp_path / ".hidden.png").write_bytes(b"")
    frames = list(read(str(tmp_path)))
    assert [int(f.planes[0][0, 0, 0]) for f in frames] == [1, 9, 10]
    assert [f.index for f in frames] == [0, 1, 2]
    assert [f.layout for f in frames] == ["rgb24"] * 3
    assert frames[1].seconds > frames[0].seconds


@pytest.mark.parametrize(("orientation", "turn"), [(6, lambda p: np.rot90(p, -1)), (3, lambda p: np.rot90(p, 2))])
def test_a_picture_comes_upright(tmp_path, orientation, turn):
    pixels = np.random.default_rng(1).integers(0, 255, (4, 6, 3), np.uint8)
    picture = Image.fromarray(pixels)
    exif = picture.getexif()
    exif[0x0112] = orientation
    picture.save(tmp_path / "a.png", exif=exif)
    (frame,) = read(str(tmp_path / "a.png"))
    assert (frame.planes[0] == turn(pixels)).all()


def test_what_is_transparent_is_white(tmp_path):
    picture = Image.new("RGBA", (2, 1), (10, 20, 30, 255))
    picture.putpixel((1, 0), (10, 20, 30, 0))
    picture.save(tmp_path / "a.png")
    assert images.load(tmp_path / "a.png").tolist() == [[[10, 20, 30], [255, 255, 255]]]


def test_sixteen_bits_of_grey_become_eight(tmp_path):
    Image.fromarray(np.array([[0, 32768, 65535]], np.uint16)).save(tmp_path / "a.png")
    assert images.load(tmp_path / "a.png")[..., 0].tolist() == [[0, 128, 255]]


def test_a_broken_picture_is_left_out_and_named(tmp_path):
    for n in range(3):
        shade(n).save(tmp_path / f"{n}.png")
    (tmp_path / "1.png").write_bytes(b"not a picture")
    with images.open(tmp_path) as source:
        assert [f.index for f in source.frames()] == [0, 2]
        assert source.damage == "1 of 3 pictures are left out, the first is 1.png"


def test_a_folder_does_not_stop_at_a_picture_too_narrow_to_be_drawn(tmp_path):
    shade(1).save(tmp_path / "1.png")
    shade(2, (15, 300)).save(tmp_path / "2.png")
    with images.open(tmp_path) as source:
        assert [f.index for f in source.frames()] == [0]
        assert source.damage == "1 of 2 pictures are left out, the first is 2.png"


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif"])
def test_a_large_picture_is_reduced_and_a_larger_one_refused(tmp_path, monkeypatch, name):
    picture = Image.new("RGB", (300, 100), "red")
    picture.paste("blue", (150, 0, 300, 100))
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / name, exif=exif)
    monkeypatch.setattr(images, "MAX_PIXELS", 7500)
    with images.open(tmp_path / name) as source:
        (frame,) = source.frames()
        assert [n.partition("00 ")[2] for n in source.notices] == ["px is drawn reduced to 0 megapixels"]
    assert frame.planes[0].shape == (150, 50, 3)
    assert frame.planes[0][10, 25].argmax() == 0
    assert frame.planes[0][140, 25].argmax() == 2
    monkeypatch.setattr(images, "MAX_FILE_PIXELS", 29_999)
    with pytest.raises(SourceError, match="px, more than 0 megapixels"):
        images.load(tmp_path / name)


def cut(path):
    shade(7, (64, 64)).save(path)
    path.write_bytes(path.read_bytes()[:60])


@pytest.mark.parametrize(
    ("name", "make", "error", "words"),
    [
        ("missing.png", lambda _: None, UsageError, "No such file"),
        ("text.png", lambda p: p.write_text("hello"), SourceError, "it is no picture"),
        ("empty.jpg", lambda p: p.write_bytes(b""), SourceError, "it is no picture"),
        ("cut.png", cut, SourceError, "cut.png"),
        ("fractions.tif", lambda p: Image.new("F", (64, 64), 0.5).save(p), SourceError, "nothing says which"),
        ("folder/", lambda p: p.mkdir(), SourceError, "there is no picture in it"),
    ],
)
def test_what_is_no_picture_is_refused_in_one_line(tmp_path, name, make, error, words):
    make(tmp_path / name)
    with pytest.raises(error, match=words) as caught:
        list(read(f"{tmp_path}/{name}"))
    assert "\n" not in str(caught.value)


def test_a_folder_of_broken_pictures_is_refused(tmp_path):
    (tmp_path / "1.png").write_bytes(b"not a picture")
    with pytest.raises(SourceError, match="not one picture"):
        list(read(str(tmp_path)))
