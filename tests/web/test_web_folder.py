"""What people uploaded goes: with its session, with the server however that ends, and where nobody ever took it."""

import os
import signal
import tempfile

import pytest
from browsing import Site
from test_web_limits import Request, put

from streamtoon.web.sessions import sessions as module
from streamtoon.web.sessions.folder import FOLDER_PREFIX, Folder
from streamtoon.web.sessions.sessions import Sessions
from streamtoon.web.settings import Settings


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def old(path):
    os.utime(path, (1, 1))
    return path


def test_what_a_killed_server_left(place):
    left = place / f"{FOLDER_PREFIX}left"
    left.mkdir()
    (left / "photo.png").write_bytes(b"x")
    running = Folder()
    fresh = place / f"{FOLDER_PREFIX}fresh"  # of a server that starts at this moment
    fresh.mkdir()
    for folder in (old(left), old(running.path)):
        assert folder.exists()
    other = Folder()
    assert [f.exists() for f in (left, running.path, fresh, other.path)] == [False, True, True, True]
    for folder in (running, other):
        folder.remove()
    assert [p.name for p in place.iterdir()] == [fresh.name]


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="terminals of this system close otherwise")
def test_a_terminal_that_is_closed():
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup, which servers inherit, they go on
    try:
        site = Site()
    finally:
        signal.signal(signal.SIGHUP, before)
    root = site.root
    (root / "upload").mkdir()
    (root / "upload" / "a.png").write_bytes(b"x")
    site.process.send_signal(signal.SIGHUP)
    site.process.wait(30)
    assert not root.exists()


def test_uploads_that_nobody_took(place):
    with Sessions(Settings()) as sessions:
        taken, lost, part = put(sessions, "a"), put(sessions, "b"), sessions.root / "tmpx"
        part.write_bytes(b"x")
        session = sessions.of(Request("one"))
        sessions.adopt(session, str(taken))
        made = session.new_folder() / "made.png"
        made.write_bytes(b"x")
        sessions.sweep()
        assert all(f.exists() for f in (taken, lost, part, made))  # their page may just be about to take them
        for file in (taken, lost, part, made):
            old(file)
        sessions.sweep()
        assert [f.exists() for f in (taken, lost, part, made)] == [True, False, False, True]
        assert not lost.parent.exists()
        assert str(lost) not in sessions.uploaded
    assert list(place.iterdir()) == []


def test_it_looks_by_itself(place, monkeypatch):
    from browsing import wait_for

    monkeypatch.setattr(module, "SWEEP_INTERVAL_S", 0.01)
    with Sessions(Settings()) as sessions:
        lost = old(put(sessions, "a"))
        wait_for(lambda: not lost.exists())


def test_the_same_picture_under_two_names(place):
    with Sessions(Settings()) as sessions:
        one = put(sessions, "same")
        other = one.with_name("b.png")
        other.write_bytes(b"x")
        sessions.uploaded.add(str(other))
        sessions.adopt(sessions.of(Request("one")), str(one))
        sessions.adopt(sessions.of(Request("other")), str(other))
        sessions.end("one")
        assert [one.exists(), other.exists()] == [False, True]
        sessions.end("other")
        assert not other.parent.exists()
