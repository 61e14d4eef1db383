"""Sinks take only what guard made, keep what they are given and leave nothing half-written."""

from fractions import Fraction

import av
import films
import numpy as np
import pytest
from PIL import Image

from streamtoon import sinks
from streamtoon.errors import SinkError, UsageError
from streamtoon.film import container, reader
from streamtoon.film.encoder import Encoding
from streamtoon.privacy.guard import Guard
from streamtoon.sources import images
from streamtoon.types import Colour, Frame

LOSSLESS = Encoding("ffv1")


def drawn(index=0, size=(64, 48), seconds=None, colour=None):
    planes = tuple(np.asarray(p, np.uint8) for p in films.picture(index, *size))
    when = Fraction(index, 25) if seconds is None else seconds
    return films.keep(Frame(planes, "yuv420p", index, when, colour or Colour("bt601")))


def still(colour, index=0, size=(64, 48)):
    return films.keep(Frame((np.full((size[1], size[0], 3), colour, np.uint8),), "rgb24", index, Fraction(index, 25)))


def test_memory_keeps_what_is_sent():
    sink = sinks.open("memory:")
    with sink as send:
        send(drawn(0))
        send(drawn(1))
    assert [d.index for d in sink.drawn] == [0, 1]


@pytest.mark.parametrize("target", ["memory:", "out.mp4", "frames/"])
def test_only_what_guard_made_may_leave(tmp_path, target):
    raw = drawn()
    frame = Frame(raw.planes, "yuv420p", 0, Fraction(0))
    sink = sinks.open(target if target == "memory:" else f"{tmp_path}/{target}")
    with pytest.raises(TypeError, match="only an OutputFrame"), sink as send:
        send(frame)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", ["out.mp4", "out.mkv", "frames"])
def test_an_error_in_the_middle_leaves_nothing(tmp_path, target):
    with pytest.raises(KeyboardInterrupt), sinks.open(str(tmp_path / target)) as send:  # noqa: PT012
        for i in range(60):
            send(drawn(i))
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", ["out.mp4", "frames"])
def test_nothing_sent_is_an_error(tmp_path, target):
    with pytest.raises(SinkError, match="not one picture"), sinks.open(str(tmp_path / target)):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "out.mp4"
    path.write_bytes(b"old")
    with pytest.raises(UsageError, match="--overwrite"):
        sinks.open(str(path))
    with sinks.open(str(path), sinks.Options(overwrite=True)) as send:
        send(drawn())
        assert path.read_bytes() == b"old"
    assert len(films.times(path)) == 1


def test_a_film_without_a_source_has_the_frames_own_times_and_colours(tmp_path):
    path = tmp_path / "out.mp4"
    when = [Fraction(0), Fraction(1, 30), Fraction(1, 10), Fraction(2)]
    with sinks.open(str(path), sinks.Options(rate=Fraction(30))) as send:
        for i, seconds in enumerate(when):
            send(drawn(i, seconds=seconds, colour=Colour("bt709", full_range=True)))
    assert films.times(path) == when
    with av.open(str(path)) as c:
        frame = next(c.decode(video=0))
        assert (frame.color_range, frame.colorspace) == (2, 1)


@pytest.mark.parametrize("name", ["a.mkv", "a.avi"])
def test_a_lossless_encoder_gives_the_samples_back(tmp_path, name):
    with sinks.open(str(tmp_path / name), sinks.Options(encoding=LOSSLESS)) as send:
        for i in range(5):
            send(drawn(i))
    assert films.same(films.planes(tmp_path / name), [drawn(i).planes for i in range(5)])


@pytest.mark.parametrize(
    ("name", "encoder", "size"),
    [
        ("a.mkv", "ffv1", (63, 47)),
        ("a.webm", None, (63, 47)),
        ("a.mp4", None, (64, 48)),
        ("b.mp4", "libx265", (64, 48)),
    ],
)
def test_odd_sizes_are_kept_where_the_encoder_can(tmp_path, name, encoder, size):
    sink = sinks.open(str(tmp_path / name), sinks.Options(encoding=Encoding(encoder)))
    with sink as send:
        for i in range(3):
            send(drawn(i, (63, 47)))
    found = films.planes(tmp_path / name)[0]
    assert found[0].shape[::-1] == size
    assert len(sink.notices) == (size != (63, 47))


def test_padding_repeats_the_last_column_and_row(tmp_path):
    sink = sinks.open(str(tmp_path / "a.mp4"), sinks.Options(encoding=Encoding(crf=0, preset="ultrafast")))
    with sink as send:
        send(drawn(0, (63, 47)))
    found, sent = films.planes(tmp_path / "a.mp4")[0], drawn(0, (63, 47)).planes
    assert all((f[: s.shape[0], : s.shape[1]] == s).all() for f, s in zip(found, sent, strict=True))
    assert (found[0][:47, 63] == sent[0][:, -1]).all()
    assert (found[0][47] == found[0][46]).all()
    assert sink.notices == ["libx264 needs even sizes: 63x47 becomes 64x48, the last line repeated"]


@pytest.mark.parametrize(("name", "words"), [("out.mkv", "cannot be read"), ("out.mp4", "only 1 of 3 frames")])
def test_what_was_written_is_looked_at_before_it_is_kept(tmp_path, monkeypatch, name, words):
    one = tmp_path / "one.mp4"
    with sinks.open(str(one)) as send:
        send(drawn())
    (tmp_path / "text").write_text("hello", encoding="utf-8")
    found = tmp_path / "text" if name == "out.mkv" else one
    monkeypatch.setattr("streamtoon.film.writer.open_container", lambda _: container.open_container(found))
    with pytest.raises(SinkError, match=words), sinks.open(str(tmp_path / name)) as send:  # noqa: PT012
        for i in range(3):
            send(drawn(i))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one.mp4", "text"]


def test_stills_become_a_film(tmp_path):
    with sinks.open(str(tmp_path / "a.mkv"), sinks.Options(encoding=LOSSLESS)) as send:
        send(still((200, 30, 60)))
        send(still((20, 180, 90), 1))
    with reader.open(tmp_path / "a.mkv") as film:
        read = list(film.frames())
        assert film.tags.matrix == 1
    assert read[0].colour == Colour("bt709")
    y = 16 + 219 * (0.2126 * 200 + 0.7152 * 30 + 0.0722 * 60) / 255  # ITU-R BT.709
    assert abs(int(read[0].planes[0][0, 0]) - y) <= 1


def test_a_film_has_one_size(tmp_path):
    with pytest.raises(SinkError, match="picture 1 is 32x32"), sinks.open(str(tmp_path / "a.mp4")) as send:  # noqa: PT012
        send(still((1, 2, 3)))
        send(still((1, 2, 3), 1, (32, 32)))
        send(still((1, 2, 3), 2, (32, 32)))
    assert list(tmp_path.iterdir()) == []


def test_times_out_of_order_do_not_stop_it(tmp_path):
    sink = sinks.open(str(tmp_path / "a.mp4"))
    with sink as send:
        for i, seconds in enumerate([0, 2, 1, 1, 2**20, 3]):
            send(drawn(i, seconds=Fraction(seconds)))
    times = films.times(tmp_path / "a.mp4")
    assert len(times) == 6
    assert times == sorted(set(times))
    assert times[-1] == 3
    assert sink.notices == ["3 frames have times that cannot be: they follow the one before at once"]


@pytest.mark.parametrize(
    ("target", "encoding", "words"),
    [
        ("nowhere/out.mp4", None, "there is no folder"),
        ("out.gif", None, "choose one of"),
        ("out.mp4", Encoding("nonsense"), "there is no encoder 'nonsense'"),
        ("out.mp4", Encoding("aac"), "aac encodes audio"),
        ("out.webm", Encoding("libx264"), "webm takes no libx264"),
        ("out.mp4", Encoding(preset="hurry"), "choose one of ultrafast"),
    ],
)
def test_what_cannot_be_written_is_refused_at_once_in_one_line(tmp_path, target, encoding, words):
    with pytest.raises(UsageError, match=words) as caught:
        sinks.open(str(tmp_path / target), sinks.Options(encoding=encoding))
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_an_encoder_that_does_not_open_says_why(tmp_path, capfd):
    with (
        pytest.raises(UsageError, match="libsvtav1 cannot encode"),
        sinks.open(str(tmp_path / "a.mkv"), sinks.Options(encoding=Encoding("libsvtav1", preset="99"))) as send,
    ):
        send(drawn())
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr().out == ""


def test_options_an_encoder_does_not_know_are_noticed(tmp_path):
    sink = sinks.open(str(tmp_path / "a.mkv"), sinks.Options(encoding=Encoding("ffv1", crf=20, preset="slow")))
    with sink as send:
        send(drawn())
    assert sink.notices == ["ffv1 has no crf: --crf is left out", "ffv1 has no preset: --preset is left out"]


def test_a_lower_crf_is_larger(tmp_path):
    for crf in (10, 40):
        with sinks.open(str(tmp_path / f"{crf}.mp4"), sinks.Options(encoding=Encoding(crf=crf))) as send:
            for i in range(5):
                send(drawn(i))
    assert (tmp_path / "10.mp4").stat().st_size > 1.2 * (tmp_path / "40.mp4").stat().st_size


def test_frames_of_a_film_become_numbered_pictures(tmp_path):
    with sinks.open(f"{tmp_path}/frames/") as send:
        for i in range(3):
            grey = tuple(np.full(s, v, np.uint8) for s, v in (((48, 64), 235), ((24, 32), 128), ((24, 32), 128)))
            send(films.keep(Frame(grey, "yuv420p", i, Fraction(i, 25))))
    assert [p.name for p in sorted((tmp_path / "frames").iterdir())] == ["000000.png", "000001.png", "000002.png"]
    assert images.load(tmp_path / "frames" / "000000.png").min() == 255


def test_pictures_keep_their_names_their_pixels_and_their_colour_profile(tmp_path):
    (tmp_path / "in").mkdir()
    pixels = np.random.default_rng(1).integers(0, 255, (19, 17, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "in" / "me.png", icc_profile=b"profile")
    Image.fromarray(pixels).convert("CMYK").save(tmp_path / "in" / "print.jpg", icc_profile=b"inks")
    with images.open(tmp_path / "in") as source, sinks.open(str(tmp_path / "out"), sinks.Options(source)) as send:
        for frame in source.frames():
            send(films.keep(frame))
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["me.png", "print.jpg"]
    assert (images.load(tmp_path / "out" / "me.png") == pixels).all()
    with Image.open(tmp_path / "out" / "me.png") as a, Image.open(tmp_path / "out" / "print.jpg") as b:
        assert a.info["icc_profile"] == b"profile"
        assert "icc_profile" not in b.info


def test_a_folder_with_something_in_it_is_not_written_into_unasked(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    (folder / "mine.txt").write_text("keep me", encoding="utf-8")
    with pytest.raises(UsageError, match="not empty"):
        sinks.open(str(folder))
    with sinks.open(str(folder), sinks.Options(overwrite=True)) as send:
        send(drawn())
    assert sorted(p.name for p in folder.iterdir()) == ["000000.png", "mine.txt"]


@pytest.mark.parametrize("target", ["in", "in/a.png"])
def test_pictures_are_not_written_over_what_is_read(tmp_path, target):
    (tmp_path / "in").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "in" / "a.png")
    source = images.open(tmp_path / "in" / "a.png" if target.endswith(".png") else tmp_path / "in")
    with pytest.raises(UsageError, match="it is what is read"):
        sinks.open(str(tmp_path / target), sinks.Options(source, overwrite=True))


def test_one_picture_takes_one_picture(tmp_path):
    for n in range(2):
        Image.new("RGB", (4, 4)).save(tmp_path / f"{n}.png")
    with pytest.raises(UsageError, match="give a folder"):
        sinks.open(str(tmp_path / "out.png"), sinks.Options(images.open(tmp_path)))
    with pytest.raises(UsageError, match="give a folder"):
        sinks.open(str(tmp_path / "out.png"))


def test_no_film_gets_past_the_guard_as_a_track(tmp_path):
    source = films.film(tmp_path / "a.mp4", second=True)
    with reader.open(source) as film, sinks.open(str(tmp_path / "out.mp4"), sinks.Options(film)) as send:
        for frame in film.frames():
            send(films.keep(frame))
    with av.open(str(tmp_path / "out.mp4")) as c:
        assert len(c.streams.video) == 1


def test_held_pictures_are_written_like_any_other(tmp_path):
    guard = Guard(private=True)
    frames = [Frame(drawn(i).planes, "yuv420p", i, Fraction(i, 25)) for i in range(2)]
    with sinks.open(str(tmp_path / "a.mkv"), sinks.Options(encoding=LOSSLESS)) as send:
        send(guard(frames[0], frames[0].planes, 1))
        send(guard(frames[1], None, 0))
    found = films.planes(tmp_path / "a.mkv")
    assert films.same(found, [frames[0].planes] * 2)


@pytest.mark.parametrize(("size", "lookahead"), [((64, 48), "rc_lookahead=10"), ((2576, 1440), "rc_lookahead=2")])
def test_x264_holds_few_frames_where_they_are_large(tmp_path, size, lookahead):
    """It writes its settings into the film."""
    with sinks.open(str(tmp_path / "a.mkv"), sinks.Options()) as send:
        send(drawn(0, size=size))
    assert lookahead in (tmp_path / "a.mkv").read_bytes().decode("latin-1")
