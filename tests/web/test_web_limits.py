"""Limits answer politely: a password, a large file, a long film, a full line, too many people."""

import urllib.error
import urllib.request
import zlib

import pytest
from browsing import Site

from streamtoon.errors import UsageError
from streamtoon.web.jobs import films, stills
from streamtoon.web.jobs.films import FilmQueue, FilmRequest
from streamtoon.web.sessions.sessions import BusyError, Sessions
from streamtoon.web.settings import Choice, Settings


class Request:
    def __init__(self, key):
        self.session_hash = key


@pytest.fixture
def sessions():
    with Sessions(Settings(max_sessions=2, max_upload=1000)) as opened:
        yield opened
    assert not opened.root.exists()


def status(address, data=None, kind="application/json"):
    request = urllib.request.Request(address, data, {"Content-Type": kind})  # noqa: S310 - our own server
    try:
        return urllib.request.urlopen(request, timeout=30).status  # noqa: S310
    except urllib.error.HTTPError as error:
        return error.code


def test_password_and_upload_limit():
    site = Site("--auth", "anna:secret", "--max-upload", "1")
    try:
        assert status(site.address) == 200  # the login page
        assert status(site.address + "/config") == 401
        form = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n%b\r\n--x--\r\n'
        kind = "multipart/form-data; boundary=x"
        assert status(site.address + "/gradio_api/upload", form % b"x", kind) == 401
        login = urllib.request.Request(  # noqa: S310
            site.address + "/login", b"username=anna&password=secret",
            {"Content-Type": "application/x-www-form-urlencoded"},
        )  # fmt: skip
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        assert opener.open(login, timeout=30).status == 200

        def upload(size):
            request = urllib.request.Request(  # noqa: S310
                site.address + "/gradio_api/upload", form % bytes(size), {"Content-Type": kind}
            )
            return opener.open(request, timeout=30).read()

        assert str(site.root).encode() not in upload(10)
        with pytest.raises(urllib.error.HTTPError) as error:
            upload(2_000_000)
        assert error.value.code == 413
    finally:
        site.close()


def put(sessions, folder, data=b"x"):
    """A file where the upload route would have put it."""
    file = sessions.root / folder / "a.png"
    file.parent.mkdir()
    file.write_bytes(data)
    sessions.uploaded.add(str(file))
    return file


def test_too_many_people(sessions):
    one, two, three = (sessions.of(Request(key)) for key in "abc")
    sessions.enter_live(one)
    sessions.enter_live(two)
    with pytest.raises(BusyError, match="limit"):
        sessions.enter_live(three)
    sessions.enter_live(one)  # who is in already may begin again
    sessions.end("b")
    sessions.enter_live(three)


def test_files_of_others(sessions, tmp_path):
    one, other = sessions.of(Request("a")), sessions.of(Request("b"))
    file = put(sessions, "upload")
    assert sessions.adopt(one, str(file)) == sessions.adopt(other, str(file)) == file
    sessions.end("a")
    assert file.exists()  # the other has uploaded the same one
    sessions.end("b")
    assert not file.exists()
    made = sessions.of(Request("c")).new_folder() / "made.png"
    made.write_bytes(b"x")
    outside = tmp_path / "secret.png"
    outside.write_bytes(b"x")
    for path in (outside, made, sessions.root / ".." / ".." / "etc" / "passwd", sessions.root):
        with pytest.raises(UsageError, match="not here"):
            sessions.adopt(sessions.of(Request("c")), str(path))
    (sessions.root / "bare.png").write_bytes(b"x")
    with pytest.raises(UsageError, match="not here"):
        sessions.adopt(sessions.of(Request("c")), str(sessions.root / "bare.png"))
    large = put(sessions, "upload2", bytes(2000))
    with pytest.raises(BusyError, match="MB"):
        sessions.adopt(sessions.of(Request("c")), str(large))


def test_a_session_keeps_the_newest_only(sessions):
    session = sessions.of(Request("a"))
    places = [session.new_folder() for _ in range(30)]
    assert not places[0].exists()
    assert all(place.exists() for place in places[-24:])
    files = [put(sessions, f"u{i}") for i in range(8)]
    for file in files:
        sessions.adopt(session, str(file))
    assert [file.exists() for file in files] == [False] * 2 + [True] * 6


def test_styles_of_others(sessions, tmp_path):
    one, other = sessions.of(Request("a")), sessions.of(Request("b"))
    one.styles["mine"] = tmp_path
    assert one.style("mine") == str(tmp_path)
    for name in ("mine", str(tmp_path), "../engraving"):
        with pytest.raises(UsageError, match="no style"):
            other.style(name)


def test_what_ends_with_a_session(sessions):
    session = sessions.of(Request("a"))
    ended = []
    session.closing["bad"] = lambda: 1 / 0
    session.closing["good"] = lambda: ended.append(1)
    sessions.end("a")
    assert ended == [1]
    assert not session.folder.exists()
    assert sessions.of(Request(None)) is not sessions.of(Request(None))


def test_a_film_too_long(moved_film):
    assert films.probe(moved_film, Settings()).size == (640, 360)
    with pytest.raises(BusyError, match="limit"):
        films.probe(moved_film, Settings(max_minutes=0.01))


def test_a_full_line(sessions, moved_film):
    line = FilmQueue(Settings())
    asked = FilmRequest(moved_film, Choice("engraving", "head", "keep"))
    waiting = [line.draw(sessions.of(Request(str(i))), asked) for i in range(films.MAX_WAITING_FILMS + 1)]
    first = next(waiting[0])
    assert "progress" in first or "done" in first
    assert [next(film) for film in waiting[1:]] == [{"ahead": i} for i in range(1, films.MAX_WAITING_FILMS + 1)]
    with pytest.raises(BusyError, match="waiting"):
        next(line.draw(sessions.of(Request("late")), asked))
    for film in waiting:
        film.close()


def chunk(kind, data):
    """A part of a PNG file."""
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def test_pictures_beyond_limits(tmp_path, monkeypatch):
    from PIL import Image

    sides = (60_000).to_bytes(4, "big") * 2  # of a picture of a few bytes
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", sides + bytes([1, 0, 0, 0, 0])) + chunk(b"IDAT", b"")
    (tmp_path / "bomb.png").write_bytes(png)
    with pytest.raises(UsageError, match="40 megapixels"):
        stills.read(tmp_path / "bomb.png")
    monkeypatch.setattr(stills, "MAX_PHOTO_PIXELS", 100)
    Image.new("RGB", (20, 20)).save(tmp_path / "large.png")
    with pytest.raises(UsageError, match="megapixels"):
        stills.read(tmp_path / "large.png")
    (tmp_path / "script.svg").write_text("<svg onload='x'/>")
    with pytest.raises(UsageError, match="no picture"):
        stills.read(tmp_path / "script.svg")


@pytest.mark.parametrize(
    ("style", "region", "background", "words"),
    [
        ("engraving", "nose", "paper", "region"),
        ("engraving", "head", "sky", "background"),
        ("../engraving", "head", "paper", "no style"),
    ],
)
def test_choices_that_do_not_exist(sessions, style, region, background, words):
    with pytest.raises(UsageError, match=words):
        sessions.of(Request("a")).choice(style, region, background)
