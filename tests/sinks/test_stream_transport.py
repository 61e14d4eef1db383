"""What carries a stream's bytes never waits."""

from urllib.parse import urlsplit

from streamtoon.sinks.streaming.stream_transport import Datagrams


def test_what_the_system_has_no_room_for_is_lost_not_waited_for(monkeypatch):
    class Full:
        def sendto(self, *_):
            raise BlockingIOError

        def close(self):
            pass

    transport = Datagrams(urlsplit("udp://127.0.0.1:5000"))
    transport.close()
    monkeypatch.setattr(transport, "_socket", Full())
    assert transport.write(b"abc") == 3
