"""convert changes what the toon draws and nothing else: frames, times, turn, colours, sound, subtitles, tags."""

import resource
import subprocess
import sys
import time
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import films
import numpy as np
import pytest
from PIL import Image

from streamtoon import sinks
from streamtoon.errors import SourceError, UsageError
from streamtoon.film import reader
from streamtoon.pipeline.timings import Meter
from streamtoon.privacy.guard import Guard
from streamtoon.sources import images
from streamtoon.workflows.convert import Options, convert

LOSSLESS = {"encoder": "libx264", "crf": 0, "preset": "ultrafast"}
QUARTER = (0, 65536, 0, -65536, 0, 0, 48 << 16, 0, 1 << 30)


def run(source, target, toon=films.keep, **options):
    return convert(Options(str(source), str(target), **options), lambda: toon)


PYTHONPATH = f"{Path(__file__).parent.parent}:{Path(__file__).parent.parent.parent}"


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


def test_sound_is_read_no_further_than_the_pictures_are(tmp_path):
    source = films.film(tmp_path / "a.mkv", range(100), sound=["flac"])
    with reader.open(source) as film, sinks.open(str(tmp_path / "out.mkv"), sinks.Options(film)) as send:
        for frame in film.frames():
            send(films.keep(frame))
            ahead = send.__self__._output._tracks._next
            if 10 < frame.index < 90:
                assert -0.1 < ahead.dts * ahead.time_base - frame.seconds < 0.2


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


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.mov"])
def test_sound_chapters_and_tags_are_copied(tmp_path, name):
    chapters = [(0, 200, "One"), (200, 480, "Two")]
    tags = {"title": "A film", "artist": "Somebody", "comment": "no comment"}
    source = films.film(tmp_path / "a.mp4", sound=["aac", "aac"], chapters=chapters, tags=tags)
    run(source, tmp_path / name)
    before, after = films.tracks(source, "audio"), films.tracks(tmp_path / name, "audio")
    assert [t[:2] for t in after] == [t[:2] for t in before]
    assert [t[0] for t in after] == ["eng", "ger"]
    unit = Fraction(1, 1000) if name.endswith("mkv") else 0
    assert all(abs(p - q) <= unit for a, b in zip(before, after, strict=True) for p, q in zip(a[2], b[2], strict=True))
    with av.open(str(tmp_path / name)) as c:
        assert {k.lower(): v for k, v in c.metadata.items()}.items() >= tags.items()
        found = [(h["start"] * h["time_base"] * 1000, h["end"] * h["time_base"] * 1000) for h in c.chapters()]
        assert found == [(start, end) for start, end, _ in chapters]
        assert [h["metadata"]["title"] for h in c.chapters()] == ["One", "Two"]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_subtitles_are_copied(tmp_path, name):
    lines = [(100, 300, "hello"), (400, 600, "bye")]
    source = films.film(tmp_path / name, range(40), text=lines, sound=["aac"])
    summary = run(source, tmp_path / f"out{source.suffix}")
    ((language, *before),) = films.tracks(source, "subtitle")
    assert films.tracks(tmp_path / f"out{source.suffix}", "subtitle") == [(language, *before)]
    assert language == "fre"
    assert summary.notices == []


@pytest.mark.parametrize(
    ("source", "target", "codec"),
    [("a.mkv", "out.mp4", "mov_text"), ("a.mp4", "out.mkv", "srt"), ("a.mkv", "out.webm", "webvtt")],
)
def test_subtitles_are_rewritten_where_they_must_be(tmp_path, source, target, codec):
    films.film(tmp_path / source, text=[(80, 200, "hello"), (240, 400, "bye")])
    summary = run(tmp_path / source, tmp_path / target)
    assert any(f"so it becomes {codec}" in n for n in summary.notices)
    with av.open(str(tmp_path / target)) as c:
        (stream,) = c.streams.subtitles
        assert stream.metadata["language"] == "fre"
        lines = [
            (float(p.pts * p.time_base), rect.dialogue.decode())
            for p in c.demux(stream) if p.size > 2 for rect in stream.decode(p)
        ]  # fmt: skip
    assert lines == [(0.08, "hello"), (0.24, "bye")]


@pytest.mark.parametrize(
    ("source", "sound", "target", "codec"),
    [
        ("a.avi", "pcm_mulaw", "out.mp4", "aac"),
        ("a.mov", "pcm_s16le", "out.webm", "libopus"),
        ("a.mkv", "flac", "out.mov", "aac"),
    ],
)
def test_sound_is_encoded_anew_where_it_must_be(tmp_path, source, sound, target, codec):
    films.film(tmp_path / source, range(50), sound=[sound])
    summary = run(tmp_path / source, tmp_path / target)
    assert any(f"takes no {sound}, so it becomes {codec}" in n for n in summary.notices)
    with av.open(str(tmp_path / target)) as c:
        wave = np.concatenate([f.to_ndarray()[0].astype(float) for f in c.decode(audio=0)])
        rate = c.streams.audio[0].rate
    assert abs(len(wave) / rate - 2) < 0.1
    spectrum = np.abs(np.fft.rfft(wave[rate // 2 : rate // 2 + rate]))
    assert abs(int(spectrum.argmax()) - 300) <= 2  # the tone is still the tone


def test_a_transport_stream_takes_only_what_is_found_in_it_again(tmp_path):
    source = films.film(tmp_path / "a.mkv", range(50), sound=["flac"], text=[(80, 200, "hello")])
    summary = run(source, tmp_path / "out.ts")
    assert "audio track 1: mpegts takes no flac, so it becomes aac" in summary.notices
    assert "subtitle track 2 is left out: mpegts takes no subtitles" in summary.notices
    with av.open(str(tmp_path / "out.ts")) as c:
        assert [s.type for s in c.streams] == ["video", "audio"]


def test_avi_keeps_its_even_times(tmp_path):
    source = films.film(tmp_path / "a.mp4", options={"bf": "2"})
    run(source, tmp_path / "out.avi")
    with reader.open(tmp_path / "out.avi") as film:
        assert [f.seconds for f in film.frames()] == films.times(source)
    with av.open(str(tmp_path / "out.avi")) as c:  # it has no times of showing, so frames must lie in that order
        assert av.video.frame.PictureType.B not in {f.pict_type for f in c.decode(video=0)}


def test_damaged_sound_takes_no_picture_with_it(tmp_path):
    source = films.film(tmp_path / "a.ts", range(50), sound=["aac"])
    whole = bytearray(source.read_bytes())
    for n, place in enumerate(i for i in range(len(whole)) if whole[i : i + 2] == b"\xff\xf1"):
        if n % 4 == 3:
            whole[place + 1] &= 0xF0  # "with a checksum"
            whole[place + 6] |= 3  # "more than one block": libav copies no such frame into mp4
    source.write_bytes(whole)
    summary = run(source, tmp_path / "out.mp4")
    assert len(films.times(tmp_path / "out.mp4")) == 50
    assert any("damaged packets of sound" in n for n in summary.notices)
    assert 40 < len(films.tracks(tmp_path / "out.mp4", "audio")[0][2]) < 90


def test_the_timecode_of_a_camera_is_kept(tmp_path):
    source = tmp_path / "a.mov"
    with av.open(str(source), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.metadata["timecode"] = "01:02:03:04"
        out.mux(stream.encode(films.frame(0, (64, 48), "yuv420p")))
        out.mux(stream.encode(None))
    summary = run(source, tmp_path / "out.mov")
    assert summary.notices == []
    for path in (source, tmp_path / "out.mov"):
        with av.open(str(path)) as c:
            assert [(s.type, s.metadata.get("timecode")) for s in c.streams] == [
                ("video", "01:02:03:04"),
                ("data", "01:02:03:04"),
            ]


def test_the_tags_of_a_telephone_are_kept(tmp_path):
    tags = {"com.apple.quicktime.model": "telephone", "title": "kept too"}
    source = films.film(tmp_path / "a.mov", tags=tags, container_options={"movflags": "use_metadata_tags"})
    summary = run(source, tmp_path / "out.mov")
    assert summary.notices == []
    with av.open(str(tmp_path / "out.mov")) as c:
        assert c.metadata.items() >= tags.items()


def test_sound_that_comes_last_in_the_file_is_copied(tmp_path):
    source = films.film(tmp_path / "a.mp4", range(100), sound=["aac"], options={"qp": "0"})
    blocks = tmp_path / "blocks.mp4"
    with av.open(str(source)) as c, av.open(str(blocks), "w") as out:  # all pictures first, then all sound
        copies = [out.add_stream_from_template(s, opaque=True) for s in c.streams]
        out.start_encoding()
        packets = [p for p in c.demux() if p.size]
        for p in sorted(packets, key=lambda p: p.stream.type == "audio"):
            p.stream = copies[p.stream.index]
            out.mux(p)
    run(blocks, tmp_path / "out.mp4")
    assert [t[1] for t in films.tracks(tmp_path / "out.mp4", "audio")] == [t[1] for t in films.tracks(source, "audio")]


def test_no_audio_leaves_the_sound_out_and_the_subtitles_in(tmp_path):
    source = films.film(tmp_path / "a.mkv", sound=["flac"], text=[(80, 200, "hello")])
    run(source, tmp_path / "out.mkv", audio=False)
    assert films.tracks(tmp_path / "out.mkv", "audio") == []
    assert len(films.tracks(tmp_path / "out.mkv", "subtitle")) == 1


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_a_cover_stays_a_cover(tmp_path, name):
    source = films.film(tmp_path / "a.mp4", cover=True)
    run(source, tmp_path / name)
    packets = []
    for path in (source, tmp_path / name):
        with av.open(str(path)) as c:
            assert len(c.streams.video) == 2
            (cover,) = [s for s in c.streams.video if s.disposition & av.stream.Disposition.attached_pic]
            packets.append([bytes(p) for p in c.demux(cover) if p.size])
    assert packets[0] == packets[1]
    assert len(packets[0]) == 1


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_in_private_no_undrawn_cover_leaves_and_nothing_is_compared(tmp_path, name):
    source = films.film(tmp_path / "a.mp4", cover=True)
    summary = run(source, tmp_path / name, private=True)
    assert summary.notices == ["cover track 1 is left out: it is not drawn"]
    with av.open(str(tmp_path / name)) as c:
        assert len(c.streams) == 1
    with pytest.raises(UsageError, match="not for both"):
        run(source, tmp_path / "other.mp4", private=True, compare=True)


def test_every_film_of_a_file_is_drawn(tmp_path):
    source = films.film(tmp_path / "a.mp4", second=True, sound=["aac"])
    made = []

    def make():
        made.append(films.square)
        return films.square

    summary = convert(Options(str(source), str(tmp_path / "out.mp4"), **LOSSLESS), make)
    assert len(made) == 2  # a toon remembers what it saw: each film has its own
    assert summary.frames == 24
    for track in (0, 1):
        found = films.planes(tmp_path / "out.mp4", track)
        assert all((f[0][8:24, 8:24] == 200).all() for f in found)
        assert (found[0][0][30:] == films.planes(source, track)[0][0][30:]).all()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "out.mp4"]


def test_a_container_that_rounds_times_is_named(tmp_path):
    source = films.film(tmp_path / "a.mp4", [1001 * i for i in range(12)], time_base=Fraction(1, 30000))
    summary = run(source, tmp_path / "out.mkv")
    assert summary.notices == ["times are rounded to 1/1000 s: container and encoder keep no finer ones"]
    assert all(
        abs(a - b) <= Fraction(1, 2000)
        for a, b in zip(films.times(source), films.times(tmp_path / "out.mkv"), strict=True)
    )


def test_tags_that_are_lost_are_named(tmp_path):
    source = films.film(tmp_path / "a.mkv", tags={"title": "kept", "colour_of_the_sky": "blue"})
    summary = run(source, tmp_path / "out.mp4")
    assert summary.notices == ["tags that mp4 does not keep are left out: COLOUR_OF_THE_SKY"]


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


class Staged:
    """A toon with stages, as the real one."""

    def __init__(self):
        self.order = []

    @property
    def stages(self):
        return (self.see, self.draw)

    def see(self, frame):
        self.order.append(("see", frame.index))
        return frame

    def draw(self, frame):
        self.order.append(("draw", frame.index))
        return films.square(frame)


@pytest.mark.parametrize("compare", [False, True])
def test_the_stages_of_a_toon_are_called_in_order(tmp_path, compare):
    toon, meter = Staged(), Meter()
    options = Options(str(films.film(tmp_path / "a.mp4")), str(tmp_path / "out.mp4"), compare=compare)
    summary = convert(options, lambda: toon, meter=meter)
    assert [i for half, i in toon.order if half == "see"] == list(range(12))
    assert [i for half, i in toon.order if half == "draw"] == list(range(12))
    assert summary.faces == 12
    assert {"read", "write"} <= set(meter.medians())


def test_progress_is_told(tmp_path):
    told = []

    def slowly(frame):
        time.sleep(0.05)
        return films.keep(frame)

    source = films.film(tmp_path / "a.mp4")
    convert(Options(str(source), str(tmp_path / "out.mp4")), lambda: slowly, told.append)
    assert told
    assert all(0 < p.frames <= 12 and p.total == 12 and p.fps > 0 and p.seconds_left >= 0 for p in told)
    assert told == sorted(told, key=lambda p: p.frames)


def test_the_summary_counts(tmp_path):
    private = Guard(private=True)

    def toon(frame):
        return private(frame, frame.planes if frame.index == 1 else None, 3 if frame.index == 1 else 0)

    summary = run(films.film(tmp_path / "a.mp4"), tmp_path / "out.mp4", toon)
    assert summary.frames == 12
    assert summary.states == {"card": 1, "drawn": 1, "held": 10}
    assert summary.fps > 0


def test_pictures_become_pictures(tmp_path):
    Image.new("RGB", (20, 10), (1, 2, 3)).save(tmp_path / "a.png")
    run(tmp_path / "a.png", tmp_path / "b.png")
    assert (images.load(tmp_path / "b.png") == (1, 2, 3)).all()
    (tmp_path / "in").mkdir()
    for n in range(3):
        Image.new("RGB", (20, 10), (n, 2, 3)).save(tmp_path / "in" / f"{n}.png")
    (tmp_path / "in" / "3.png").write_bytes(b"broken")
    summary = run(tmp_path / "in", tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["0.png", "1.png", "2.png"]
    assert summary.damaged == "1 of 4 pictures could not be read, the first is 3.png"


def test_films_become_folders_and_folders_films(tmp_path):
    source = films.film(tmp_path / "a.mp4", matrix=QUARTER)
    run(source, tmp_path / "frames")
    assert len(list((tmp_path / "frames").iterdir())) == 12
    assert images.load(tmp_path / "frames" / "000000.png").shape == (64, 48, 3)  # upright
    run(tmp_path / "frames", tmp_path / "out.mp4")
    assert films.times(tmp_path / "out.mp4") == [Fraction(i, 25) for i in range(12)]


def test_the_portrait_is_a_film(tmp_path):
    summary = run("portrait:3@64x48", tmp_path / "out.mp4")
    assert summary.frames == 3
    assert films.times(tmp_path / "out.mp4") == [Fraction(i, 30) for i in range(3)]
    with pytest.raises(UsageError, match="name one, such as out"):
        run("portrait:3@64x48", tmp_path / "frames/")


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        ("missing.mp4 -> out.mp4", UsageError, "No such file"),
        ("text.mp4 -> out.mp4", SourceError, "no film"),
        ("a.mp4 -> a.mp4", UsageError, "it is the film that is read"),
        ("a.mp4 -> ./a.mp4", UsageError, "it is the film that is read"),
        ("a.mp4 -> text.mp4", UsageError, "--overwrite"),
        ("a.mp4 -> nowhere/out.mp4", UsageError, "there is no folder"),
        ("a.mp4 -> out.png", UsageError, "give a folder"),
        ("a.mp4 -> out.xyz", UsageError, "choose one of"),
        ("a.png -> out.mp4", UsageError, "one picture is no film"),
    ],
)
def test_a_bad_call_is_refused_before_a_toon_is_made(tmp_path, monkeypatch, call, error, words):
    monkeypatch.chdir(tmp_path)
    films.film(Path("a.mp4"))
    Path("text.mp4").write_text("hello", encoding="utf-8")
    Image.new("RGB", (4, 4)).save("a.png")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(error, match=words) as caught:
        convert(Options(*call.split(" -> ")), lambda: pytest.fail("a toon was made"))
    assert "\n" not in str(caught.value)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, RuntimeError])
@pytest.mark.parametrize("target", ["out.mp4", "out.mkv", "frames/"])
def test_stopped_in_the_middle_it_leaves_nothing(tmp_path, target, stop):
    source = films.film(tmp_path / "a.mp4", range(100), sound=["aac"], second=target == "out.mkv")

    def toon(frame):
        if frame.index == 80:
            raise stop
        return films.keep(frame)

    with pytest.raises(stop):
        run(source, f"{tmp_path}/{target}", toon)
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_a_toon_that_cannot_be_made_leaves_nothing(tmp_path):
    source = films.film(tmp_path / "a.mp4")

    def make():
        raise UsageError("no such style")

    with pytest.raises(UsageError, match="style"):
        convert(Options(str(source), str(tmp_path / "out.mp4")), make)
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


FULL = """
import sys
import films
from streamtoon.workflows.convert import Options, convert
from streamtoon.errors import SinkError
try:
    convert(Options(sys.argv[1], sys.argv[2]), lambda: films.keep)
except SinkError as error:
    print(error)
    sys.exit(7)
"""


@pytest.mark.parametrize("target", ["out.mp4", "out.mkv", "frames"])
@pytest.mark.parametrize("room", [0, 100, 0.98])
def test_a_full_disk_leaves_nothing(tmp_path, target, room):
    source = films.film(tmp_path / "a.mp4", range(50), size=(160, 120), sound=["aac"])
    if room == 0.98:  # only the end does not fit
        run(source, tmp_path / target)
        whole = tmp_path / target
        size = whole.stat().st_size if whole.is_file() else max(p.stat().st_size for p in whole.iterdir())
        room = int(size * room)
        whole.unlink() if whole.is_file() else [p.unlink() for p in whole.iterdir()] and whole.rmdir()
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(source), str(tmp_path / target)], capture_output=True, text=True, check=False,
        env={"PYTHONPATH": PYTHONPATH, "PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
    )  # fmt: skip
    assert done.returncode == 7, done.stderr
    assert done.stderr == ""
    assert done.stdout.startswith(f"cannot write {tmp_path / target}: File too large; ")
    assert done.stdout.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_a_damaged_film_is_converted_as_far_as_it_can_be_read(tmp_path):
    source = films.film(tmp_path / "a.mkv", range(50), size=(160, 120), options={"qp": "4", "g": "10"}, sound=["flac"])
    whole = bytearray(source.read_bytes())
    rng = np.random.default_rng(5)
    for place in rng.integers(len(whole) // 4, len(whole), 40):
        whole[place] ^= 1 << int(rng.integers(8))
    flipped = tmp_path / "flipped.mkv"
    flipped.write_bytes(whole)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(source.read_bytes()[: len(whole) // 2])
    for path, words in ((flipped, "did not decode"), (cut, "it breaks off")):
        summary = run(path, tmp_path / f"out-{path.name}")
        assert words in summary.damaged
        assert 10 <= summary.frames <= 50
        assert len(films.times(tmp_path / f"out-{path.name}")) == summary.frames


def test_memory_does_not_grow_with_the_film(tmp_path):
    code = (
        "import sys, resource, films; from streamtoon.workflows.convert import Options, convert; "
        "convert(Options(sys.argv[1], sys.argv[2]), lambda: films.keep); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    peaks = []
    for n in (60, 600):
        source = films.film(tmp_path / f"{n}.mp4", range(n), size=(320, 240), options={"crf": "30"}, sound=["aac"])
        done = subprocess.run(
            [sys.executable, "-c", code, str(source), str(tmp_path / f"out{n}.mp4")], capture_output=True, text=True,
            check=True, env={"PYTHONPATH": PYTHONPATH},
        )  # fmt: skip
        peaks.append(int(done.stdout))
    frame = 320 * 240 * 1.5 / 1024
    assert peaks[1] - peaks[0] < 60 * frame  # kB; 540 more frames would be nine times that
