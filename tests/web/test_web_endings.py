"""Whatever begins for a page ends with it, in whatever order things happen; no two wait for each other."""

import threading
import time

import pytest
from aiortc import RTCPeerConnection
from test_web_guard import CLIP, SIZE, Camera

from streamtoon.errors import UsageError
from streamtoon.web.jobs import films
from streamtoon.web.jobs.films import FilmQueue, FilmRequest
from streamtoon.web.sessions import sessions
from streamtoon.web.sessions.sessions import BusyError, Sessions
from streamtoon.web.settings import Choice, Settings
from streamtoon.web.tabs import live
from streamtoon.web.tabs import stream as stream_tab
from streamtoon.web.webrtc import peer
from streamtoon.web.webrtc.media import MediaLoop
from streamtoon.web.webrtc.peer import Peer

CHOICE = Choice("engraving", "head", "paper")
PATIENCE = 30.0  # seconds; generous: the machine is shared


class Request:
    def __init__(self, key):
        self.session_hash = key


@pytest.fixture
def opened():
    with Sessions(Settings(max_sessions=1)) as all_of_them:
        yield all_of_them


@pytest.fixture(scope="module")
def offer():
    async def made():
        connection = RTCPeerConnection()
        connection.addTransceiver(Camera(CLIP), "sendrecv")
        await connection.setLocalDescription(await connection.createOffer())
        sdp = connection.localDescription.sdp
        await connection.close()
        return {"sdp": sdp, "width": SIZE[0], "height": SIZE[1]}

    with MediaLoop(local=True) as media:
        return media.run(made())


def begin(opened, session, media, offer):
    with session.lock:
        return live._begin(opened, media, session, offer, CHOICE)


def streaming(opened, key):
    """A page whose picture stream got its first picture."""
    session = opened.of(Request(key))
    stream = stream_tab._stream(opened, session)
    step(stream)
    return session, stream


def step(stream):
    return stream(CLIP[0], CHOICE)


def test_a_connection_that_dies_while_it_begins(opened, offer, monkeypatch):
    real = Peer.answer

    def dying(peer, *args):
        answer = real(peer, *args)
        peer.close()  # as a browser that hangs up does; waits for its thread, and so for ended()
        return answer

    monkeypatch.setattr(Peer, "answer", dying)
    with MediaLoop(local=True) as media:
        session = opened.of(Request("a"))
        assert "m=video" in begin(opened, session, media, offer)
        assert session.live is None
        assert session.closing == {}
        opened.enter_live(opened.of(Request("b")))  # the place is free


@pytest.mark.parametrize("wrong", [{"width": "wide"}, {"sdp": "no offer"}])
def test_an_offer_that_is_none_takes_no_place(opened, offer, wrong):
    with MediaLoop(local=True) as media:
        session = opened.of(Request("a"))
        with pytest.raises((UsageError, ValueError)):
            begin(opened, session, media, {**offer, **wrong})
        assert session.live is None
        assert session.closing == {}


def test_a_connection_without_pictures_leaves_its_place(opened, offer, monkeypatch):
    """An offer is easily made, and then nothing sent: its place goes to who asks next."""
    with MediaLoop(local=True) as media:
        session = opened.of(Request("a"))
        begin(opened, session, media, offer)
        with pytest.raises(BusyError, match="limit"):
            opened.enter_live(opened.of(Request("b")))
        monkeypatch.setattr(peer, "LIVE_IDLE_S", -1.0)
        opened.enter_live(opened.of(Request("b")))
        assert session.live is None
        assert session.closing == {}


def test_a_page_closed_while_it_begins(opened, offer, monkeypatch):
    real, ending = Peer.answer, []

    def slow(peer, *args):
        ending.append(threading.Thread(target=opened.end, args=("a",)))
        ending[0].start()
        while "a" in opened._sessions:
            time.sleep(0.01)
        ending[0].join(0.2)  # it would be through by now, if it did not wait for us
        return real(peer, *args)

    monkeypatch.setattr(Peer, "answer", slow)
    with MediaLoop(local=True) as media:
        session = opened.of(Request("a"))
        begin(opened, session, media, offer)
        ending[0].join(PATIENCE)
        assert session.live is None
        assert session.closing == {}


def test_nothing_begins_for_a_page_that_was_closed(opened, offer, moved_film):
    session, stream = streaming(opened, "a")
    opened.end("a")
    with pytest.raises(UsageError, match="ended"):
        step(stream)
    with pytest.raises(UsageError, match="closed"):
        stream_tab._stream(opened, session)
    with MediaLoop(local=True) as media, pytest.raises(UsageError, match="closed"):
        begin(opened, session, media, offer)
    with pytest.raises(UsageError, match="closed"):
        next(FilmQueue(opened.settings).draw(session, FilmRequest(moved_film, CHOICE)))
    with pytest.raises(UsageError, match="closed"):
        session.new_folder()
    file = opened.root / "upload" / "a.png"
    file.parent.mkdir()
    file.write_bytes(b"x")
    opened.uploaded.add(str(file))
    with pytest.raises(UsageError, match="closed"):
        opened.adopt(session, str(file))
    assert session.live is None
    assert session.closing == {}


def test_a_stream_that_nobody_ends_is_swept(opened, monkeypatch):
    """A step that comes after its page was closed begins a new session, which no page will end."""
    session, stream = streaming(opened, "a")
    monkeypatch.setattr(stream_tab, "LIVE_IDLE_S", -1.0)
    other = opened.of(Request("b"))
    opened.sweep()
    assert session.live is None
    assert session.closing == {}
    with pytest.raises(UsageError, match="ended"):
        step(stream)
    monkeypatch.setattr(sessions, "SESSION_IDLE_S", -1.0)
    opened.sweep()
    assert [s.folder.exists() for s in (session, other)] == [False, False]


def test_who_enters_does_not_wait_for_who_begins(opened, monkeypatch):
    """A page that presses Start keeps its own lock and asks for a place; so does another at the same time."""
    session, _ = streaming(opened, "a")
    other = opened.of(Request("b"))
    monkeypatch.setattr(stream_tab, "LIVE_IDLE_S", -1.0)
    refused = []

    def enter():
        try:
            opened.enter_live(other)
        except BusyError as error:
            refused.append(error)

    with session.lock:  # as live_tab.begin and _stream have it
        entering = threading.Thread(target=enter)
        entering.start()
        entering.join(PATIENCE)
        assert not entering.is_alive()
    assert len(refused) == 1  # whoever begins is not idle
    opened.enter_live(other)  # now it is, and its place is free
    assert session.live is None


def test_limits_of_the_line_stay_where_they_are(opened, moved_film):
    """A film that could not begin leaves the line."""
    line = FilmQueue(opened.settings)
    session = opened.of(Request("a"))
    opened.end("a")
    for _ in range(films.MAX_WAITING_FILMS + 2):
        with pytest.raises(UsageError, match="closed"):
            next(line.draw(session, FilmRequest(moved_film, CHOICE)))
