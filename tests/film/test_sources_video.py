"""Films are read as they are: every frame, its exact time, its own samples, upright."""

from fractions import Fraction

import av
import films
import numpy as np
import pytest

from streamtoon import sources
from streamtoon.errors import SourceError, UsageError
from streamtoon.film import reader
from streamtoon.types import Colour

QUARTERS = {  # display matrix: a b u c d v x y w -> how numpy turns the coded picture upright
    (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30): lambda p: np.rot90(p, -1),
    (-65536, 0, 0, 0, -65536, 0, 0, 0, 1 << 30): lambda p: np.rot90(p, 2),
    (0, -65536, 0, 65536, 0, 0, 0, 0, 1 << 30): np.rot90,
    (-65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30): np.fliplr,
    (0, 65536, 0, 65536, 0, 0, 0, 0, 1 << 30): np.transpose,
}


def frames(path):
    with reader.open(path) as film:
        return list(film.frames())


def test_planes_are_the_decoder_s_own_and_outlive_it(tmp_path):
    path = films.film(tmp_path / "a.mp4")
    read = frames(path)
    assert films.same([f.planes for f in read], films.planes(path))
    assert [f.index for f in read] == list(range(12))
    for plane in read[0].planes:
        assert not plane.flags.owndata
        assert not plane.flags.writeable


@pytest.mark.parametrize(
    ("name", "ticks", "time_base"),
    [
        ("ntsc.mp4", [1001 * i for i in range(12)], Fraction(1, 30000)),
        ("variable.mp4", [0, 10, 25, 26, 300, 1000, 1001], Fraction(1, 600)),
        ("late.mov", [90000 + 3003 * i for i in range(12)], Fraction(1, 90000)),
        ("late.mkv", [5007 + 40 * i for i in range(12)], Fraction(1, 1000)),
    ],
)
def test_times_are_exact(tmp_path, name, ticks, time_base):
    path = films.film(tmp_path / name, ticks, time_base=time_base, options={"bf": "2"})
    with reader.open(path) as film:
        assert [f.seconds for f in film.frames()] == [t * time_base for t in ticks]
        assert film.time_base == time_base
        assert film.damage is None


@pytest.mark.parametrize(("name", "codec"), [("raw.h264", "libx264"), ("old.avi", "libx264"), ("old.avi", "mpeg4")])
def test_times_that_are_missing_follow_from_the_rate(tmp_path, name, codec):
    path = films.film(tmp_path / name, time_base=films.NTSC, codec=codec, options={"bf": "2"})
    assert [f.seconds for f in frames(path)] == [i * films.NTSC for i in range(12)]


@pytest.mark.parametrize("matrix", QUARTERS)
def test_a_turned_film_comes_upright(tmp_path, matrix):
    path = films.film(tmp_path / "a.mp4", matrix=matrix, size=(64, 50), aspect=Fraction(4, 3))
    upright = [tuple(QUARTERS[matrix](p) for p in coded) for coded in films.planes(path)]
    with reader.open(path) as film:
        read = list(film.frames())
        assert film.size == (read[0].width, read[0].height)
    assert films.same([f.planes for f in read], upright)
    assert read[0].planes[0].flags.c_contiguous


def test_a_film_turned_by_half_a_quarter_is_left_as_it_lies(tmp_path):
    path = films.film(tmp_path / "a.mp4", matrix=(46341, 46341, 0, -46341, 46341, 0, 0, 0, 1 << 30))
    with reader.open(path) as film:
        assert films.same([f.planes for f in film.frames()], films.planes(path))
        assert "not turned by quarters" in film.notices[0]


@pytest.mark.parametrize(
    ("colour", "size", "expected"),
    [
        ((2, 1, 1, 1), (64, 48), Colour("bt709", full_range=True)),
        ((1, 6, 6, 6), (64, 48), Colour("bt601")),
        ((1, 9, 9, 16), (64, 48), Colour("bt2020")),
        (None, (64, 48), Colour("bt601")),
        (None, (64, 720), Colour("bt709")),
    ],
)
def test_matrix_and_range_come_from_the_film_or_its_size(tmp_path, colour, size, expected):
    path = films.film(tmp_path / "a.mkv", range(2), colour=colour, size=size)
    assert frames(path)[0].colour == expected


@pytest.mark.parametrize(
    ("colour", "size"), [(None, (64, 48)), (None, (16, 720)), ((1, 1, 1, 1), (64, 48)), ((2, 9, 9, 16), (64, 48))]
)
def test_ten_bits_become_eight(tmp_path, colour, size):
    path = films.film(tmp_path / "a.mkv", range(3), pix_fmt="yuv420p10le", colour=colour, size=size)
    with reader.open(path) as film:
        for i, frame in enumerate(film.frames()):
            for deep, plane in zip(films.picture(i, *size, 10), frame.planes, strict=True):
                assert np.abs(plane - deep / 4).max() <= 1
        assert film.notices == ["pictures are brought from yuv420p10le to yuv420p"]


@pytest.mark.parametrize(("name", "codec", "pix_fmt"), [("a.mov", "png", "rgb24"), ("a.mkv", "ffv1", "bgr0")])
@pytest.mark.parametrize("height", [48, 720])
def test_rgb_becomes_the_matrix_the_frame_says(tmp_path, name, codec, pix_fmt, height):
    matrix, kr, kb = ("bt709", 0.2126, 0.0722) if height == 720 else ("bt601", 0.299, 0.114)
    colours = np.array([[200, 30, 60], [20, 180, 90], [255, 255, 255], [0, 0, 0]], np.uint8)
    with av.open(str(tmp_path / name), "w") as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, height, pix_fmt
        for colour in colours:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((height, 64, 3), colour, np.uint8), "rgb24")))
        out.mux(stream.encode(None))
    r, g, b = (colours / 255.0).T
    luma = kr * r + (1 - kr - kb) * g + kb * b  # ITU-R BT.601, BT.709
    cb, cr = (b - luma) / (2 - 2 * kb), (r - luma) / (2 - 2 * kr)
    expected = np.stack([16 + 219 * luma, 128 + 224 * cb, 128 + 224 * cr], axis=1)
    read = frames(tmp_path / name)
    assert [f.colour for f in read] == [Colour(matrix)] * 4
    found = np.array([[p[8, 8] for p in f.planes] for f in read])
    assert np.abs(found - expected).max() <= 1.5


def test_planes_beside_an_alpha_plane_are_taken_as_they_lie(tmp_path):
    path = films.film(tmp_path / "a.mkv", range(3), codec="ffv1", pix_fmt="yuva420p")
    with reader.open(path) as film:
        read = list(film.frames())
        assert film.notices == []  # nothing in it is transparent
    assert films.same([f.planes for f in read], [films.picture(i, 64, 48) for i in range(3)])
    assert not read[0].planes[0].flags.owndata


def test_transparency_is_named(tmp_path):
    with av.open(str(tmp_path / "a.mov"), "w") as out:
        stream = out.add_stream("png", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "rgba"
        out.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 4), 100, np.uint8), "rgba")))
        out.mux(stream.encode(None))
    with reader.open(tmp_path / "a.mov") as film:
        assert film.notices == ["pictures are brought from rgba to yuv420p", "transparency is left out"]


def test_a_film_that_changes_its_size_keeps_the_first(tmp_path):
    small, large = (films.film(tmp_path / n, range(4), size=s) for n, s in (("a.h264", (64, 48)), ("b.h264", (96, 80))))
    path = tmp_path / "both.h264"
    path.write_bytes(small.read_bytes() + large.read_bytes())
    with reader.open(path) as film:
        assert [(f.width, f.height) for f in film.frames()] == [(64, 48)] * 8
        assert film.notices == ["frames change their size on the way: all are brought to 64x48 px"]


def test_covers_are_no_films_and_further_films_are_named(tmp_path):
    covered = films.film(tmp_path / "a.mp4", cover=True)
    with reader.open(covered) as film:
        assert film.others == []
        assert len(list(film.frames())) == 12
    double = films.film(tmp_path / "b.mp4", second=True)
    with reader.open(double) as film:
        (other,) = film.others
    with reader.open(double, other) as film:
        assert films.same([f.planes for f in film.frames()], films.planes(double, other))


def test_a_film_is_what_no_other_kind_takes(tmp_path):
    with sources.open(str(films.film(tmp_path / "a.mp4"))) as film:
        assert isinstance(film, reader.Film)
        assert len(list(film.frames())) == 12
    with pytest.raises(UsageError, match="cannot read webcam:: No such file"):  # a camera cannot be converted
        sources.open("webcam:")
    with pytest.raises(UsageError, match=r"missing\.mp4: No such file"):
        sources.open(str(tmp_path / "missing.mp4"))


@pytest.mark.parametrize(
    ("name", "content", "error", "words"),
    [
        ("missing.mp4", None, UsageError, "No such file"),
        ("empty.mp4", b"", SourceError, "it is empty"),
        ("text.mp4", b"hello world\n" * 99, SourceError, "it is no film"),
        ("text.txt", b"hello world\n" * 99, SourceError, "a text, not a film"),
        ("list.mp4", b"ffconcat version 1.0\nfile a.mp4\n", SourceError, "cannot read"),
        ("zeros.mp4", bytes(9999), SourceError, "it is no film"),
    ],
)
def test_what_is_no_film_is_refused_in_one_line(tmp_path, name, content, error, words):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error, match=words) as caught:
        reader.open(path)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)
    assert "; " in str(caught.value)  # what next


def test_sound_alone_is_refused(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as out:
        stream, speak = films.voice(out, "aac", 0)
        out.mux(speak(0.2))
        out.mux(stream.encode(None))
    with pytest.raises(SourceError, match="holds audio but no film"):
        reader.open(tmp_path / "a.mp4")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(UsageError, match="folder"):
        reader.open(tmp_path)


def long_film(path):
    """Two seconds whose pictures take most of the file, its header in front."""
    options = {"movflags": "faststart"} if path.suffix == ".mp4" else {}
    return films.film(path, range(50), size=(160, 120), options={"qp": "4", "g": "10"}, container_options=options)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_a_film_that_breaks_off_is_read_so_far_and_says_so(tmp_path, name):
    path = long_film(tmp_path / name)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 6 // 10])
    with reader.open(path) as film:
        count = sum(1 for _ in film.frames())
        assert 15 <= count <= 40
        assert "it breaks off after 1." in film.damage
        assert "of 2.0 s" in film.damage


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.ts"])
def test_a_film_with_a_hole_is_read_on_after_it_and_says_so(tmp_path, name):
    path = long_film(tmp_path / name)
    whole = bytearray(path.read_bytes())
    middle = len(whole) // 2
    whole[middle : middle + len(whole) // 10] = bytes(len(whole) // 10)
    path.write_bytes(whole)
    with reader.open(path) as film:
        assert 38 <= sum(1 for _ in film.frames()) <= 50
        assert "did not decode" in film.damage


def test_a_cluster_that_is_lost_whole_is_noticed(tmp_path):
    path = films.film(tmp_path / "a.mkv", range(50), size=(160, 120), options={"qp": "4", "g": "10"},
                      container_options={"cluster_time_limit": "400"})  # fmt: skip
    whole = bytearray(path.read_bytes())
    cluster = bytes.fromhex("1f43b675")
    third = whole.index(cluster, whole.index(cluster, whole.index(cluster) + 4) + 4)
    whole[third : third + 16] = bytes(16)
    path.write_bytes(whole)
    with reader.open(path) as film:
        assert sum(1 for _ in film.frames()) == 40
        assert film.damage == "1 of its packets or frames did not decode"


def test_a_film_without_one_frame_is_refused(tmp_path):
    path = long_film(tmp_path / "a.mkv")
    whole = path.read_bytes()
    path.write_bytes(whole[:600])
    with pytest.raises(SourceError, match="not one frame"):
        reader.open(path)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.ts"])
def test_a_sound_film_is_not_called_damaged(tmp_path, name):
    with reader.open(long_film(tmp_path / name)) as film:
        assert sum(1 for _ in film.frames()) == 50
        assert film.damage is None
