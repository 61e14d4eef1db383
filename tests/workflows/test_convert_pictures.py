"""convert changes what the toon draws and nothing else: frames, times, turn, colours."""

from fractions import Fraction
from itertools import pairwise

import av
import films
import numpy as np
import pytest
from films import CONVERT_LOSSLESS as LOSSLESS
from films import QUARTER_TURN as QUARTER
from films import run

from streamtoon.film import reader


@pytest.mark.parametrize(
    ("name", "ticks", "time_base"),
    [
        ("ntsc.mp4", [1001 * i for i in range(12)], Fraction(1, 30000)),
        ("ntsc-late.mp4", [1001 * i + 4004 for i in range(12)], Fraction(1, 30000)),
        ("variable.mp4", [0, 10, 25, 26, 300, 1000, 1001], Fraction(1, 600)),
        ("late.mov", [90001 + 3003 * i for i in range(12)], Fraction(1, 90000)),
        ("late.mkv", [5007, 5040, 5074, 5107, 5140, 6000, 6001], Fraction(1, 1000)),
        ("two.mp4", [7, 9], Fraction(1, 25)),
        ("one.mp4", [7], Fraction(1, 25)),
    ],
)
def test_every_frame_once_and_every_time_exact(tmp_path, name, ticks, time_base):
    source = films.film(tmp_path / name, ticks, time_base=time_base, options={"bf": "3"}, sound=["aac"])
    out = tmp_path / f"out{source.suffix}"
    summary = run(source, out)
    assert summary.frames == len(ticks)
    assert films.times(out) == [t * time_base for t in ticks] == films.times(source)
    assert films.tracks(out, "audio") == films.tracks(source, "audio")
    with reader.open(source) as a, reader.open(out) as b:
        assert a.time_base == b.time_base
        assert [sum(1 for _ in film.frames()) for film in (a, b)] == [len(ticks)] * 2
        if len({b - a for a, b in pairwise(ticks)}) == 1:  # mp4 stores no pictures' durations but those between dts
            assert a.last_seconds == b.last_seconds == (ticks[1] - ticks[0]) * time_base
    assert summary.notices == []
    assert summary.damaged is None


@pytest.mark.parametrize("last", [1, 100])
def test_the_last_frame_lasts_as_long_as_it_did(tmp_path, last):
    ticks = [0, 10, 25, 125, 125 + last]
    source = films.film(tmp_path / "a.mp4", ticks, time_base=Fraction(1, 600), options={"bf": "0", "qp": "0"})
    run(source, tmp_path / "out.mp4", **LOSSLESS)  # ultrafast has no B-frames, so mp4 can hold it
    with reader.open(tmp_path / "out.mp4") as film:
        assert len(list(film.frames())) == 5
        assert film.last_seconds == Fraction(last, 600)


def test_what_the_toon_leaves_alone_stays_bit_for_bit(tmp_path):
    source = films.film(tmp_path / "a.mp4", size=(64, 48))
    run(source, tmp_path / "same.mp4", **LOSSLESS)
    assert films.same(films.planes(tmp_path / "same.mp4"), films.planes(source))
    summary = run(source, tmp_path / "drawn.mp4", films.square, **LOSSLESS)
    for before, after in zip(films.planes(source), films.planes(tmp_path / "drawn.mp4"), strict=True):
        for a, b, n in zip(before, after, (16, 8, 8), strict=True):
            inside = np.zeros(a.shape, bool)
            inside[n // 2 : n // 2 + n, n // 2 : n // 2 + n] = True
            assert (b[inside] == 200).all()
            assert (b[~inside] == a[~inside]).all()
    assert (summary.faces, summary.faceless, summary.states["drawn"]) == (12, 0, 12)


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv"])
def test_a_turned_film_stays_turned(tmp_path, name):
    source = films.film(tmp_path / "a.mp4", matrix=QUARTER, aspect=Fraction(4, 3))
    sizes = []

    def toon(frame):
        sizes.append((frame.width, frame.height))
        return films.keep(frame)

    run(source, tmp_path / name, toon, **LOSSLESS)
    assert set(sizes) == {(48, 64)}
    assert films.same(films.planes(tmp_path / name), films.planes(source))
    with reader.open(source) as a, reader.open(tmp_path / name) as b:
        assert a.matrix[:6] == b.matrix[:6]
        assert (a.turn, a.size, a.aspect) == (b.turn, b.size, b.aspect)


def test_a_container_that_cannot_turn_gets_the_film_upright(tmp_path):
    source = films.film(tmp_path / "a.mp4", matrix=QUARTER, aspect=Fraction(4, 3))
    run(source, tmp_path / "out.ts", **LOSSLESS)
    with reader.open(source) as a, reader.open(tmp_path / "out.ts") as b:
        assert films.same([f.planes for f in b.frames()], [f.planes for f in a.frames()])
        assert (b.matrix, b.size, b.aspect) == (None, (48, 64), Fraction(3, 4))


@pytest.mark.parametrize("colour", [(2, 1, 1, 1), (1, 6, 6, 6), (1, 9, 9, 16)])
@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_colours_and_pixel_aspect_are_kept(tmp_path, name, colour):
    source = films.film(tmp_path / "a.mkv", colour=colour, aspect=Fraction(4, 3))
    run(source, tmp_path / name, **LOSSLESS)
    with reader.open(source) as a, reader.open(tmp_path / name) as b:
        assert a.tags == b.tags
        assert (b.tags.range, b.tags.matrix, b.tags.primaries, b.tags.transfer) == colour
        assert a.colour == b.colour
        assert a.aspect == b.aspect == Fraction(4, 3)
    assert films.same(films.planes(tmp_path / name), films.planes(source))


def test_avi_keeps_its_even_times(tmp_path):
    source = films.film(tmp_path / "a.mp4", options={"bf": "2"})
    run(source, tmp_path / "out.avi")
    with reader.open(tmp_path / "out.avi") as film:
        assert [f.seconds for f in film.frames()] == films.times(source)
    with av.open(str(tmp_path / "out.avi")) as c:  # it has no times of showing, so frames must lie in that order
        assert av.video.frame.PictureType.B not in {f.pict_type for f in c.decode(video=0)}


def test_a_container_that_rounds_times_is_named(tmp_path):
    source = films.film(tmp_path / "a.mp4", [1001 * i for i in range(12)], time_base=Fraction(1, 30000))
    summary = run(source, tmp_path / "out.mkv")
    assert summary.notices == ["times are rounded to 1/1000 s: container and encoder keep no finer ones"]
    assert all(
        abs(a - b) <= Fraction(1, 2000)
        for a, b in zip(films.times(source), films.times(tmp_path / "out.mkv"), strict=True)
    )


@pytest.mark.parametrize("size", [(64, 48), (63, 47)])
@pytest.mark.parametrize("matrix", [None, QUARTER])
def test_compare_shows_both(tmp_path, size, matrix):
    source = films.film(tmp_path / "a.mkv", size=size, codec="ffv1", matrix=matrix)
    run(source, tmp_path / "out.mkv", films.square, encoder="ffv1", compare=True)
    with reader.open(source) as a, reader.open(tmp_path / "out.mkv") as b:
        for before, both in zip(a.frames(), b.frames(), strict=True):
            y, wide = before.planes[0], both.planes[0]
            after = films.square(before).planes[0]
            assert (wide[:, : y.shape[1]] == y).all()
            assert (wide[:, -y.shape[1] :] == after).all()
