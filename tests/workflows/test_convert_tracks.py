"""convert keeps what lies beside the pictures: sound, subtitles, covers, chapters, tags, further films."""

from fractions import Fraction

import av
import films
import numpy as np
import pytest
from films import CONVERT_LOSSLESS as LOSSLESS
from films import run

from streamtoon import sinks
from streamtoon.errors import UsageError
from streamtoon.film import reader
from streamtoon.workflows.convert import Options, convert


def test_sound_is_read_no_further_than_the_pictures_are(tmp_path):
    source = films.film(tmp_path / "a.mkv", range(100), sound=["flac"])
    with reader.open(source) as film, sinks.open(str(tmp_path / "out.mkv"), sinks.Options(film)) as send:
        for frame in film.frames():
            send(films.keep(frame))
            ahead = send.__self__._output._tracks._next
            if 10 < frame.index < 90:
                assert -0.1 < ahead.dts * ahead.time_base - frame.seconds < 0.2


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


def test_tags_that_are_lost_are_named(tmp_path):
    source = films.film(tmp_path / "a.mkv", tags={"title": "kept", "colour_of_the_sky": "blue"})
    summary = run(source, tmp_path / "out.mp4")
    assert summary.notices == ["tags that mp4 does not keep are left out: COLOUR_OF_THE_SKY"]
