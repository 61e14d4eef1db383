"""Which addresses a stream may have, and which sizes."""

import pytest

from streamtoon.errors import UsageError
from streamtoon.sinks import LiveOptions, stream

SIZE = (320, 180)


def test_odd_sizes_become_even():
    sink = stream.open_live("udp://127.0.0.1:5000", LiveOptions((319, 179), 25))
    assert sink.size == SIZE
    assert "even" in sink.notices[0]


@pytest.mark.parametrize(
    "target",
    ["udp://", "udp://127.0.0.1", "udp://:5000", "udp://127.0.0.1:99999", "udp://127.0.0.1:5000/x", "rtmp://127.0.0.1",
     "rtmp://127.0.0.1/", "rtmp:///live/x", "rtmp://127.0.0.1/live/x y", "srt://127.0.0.1:5000", "udp://[::1"],
)  # fmt: skip
def test_addresses_that_are_none(target):
    with pytest.raises(UsageError, match=r"write udp://127\.0\.0\.1:5000 or rtmp://SERVER"):
        stream.open_live(target, LiveOptions(SIZE, 25))


@pytest.mark.parametrize(
    "target",
    ["rtmp://a.example/live/key", "rtmps://a.example:443/live/key?auth=1", "udp://[::1]:5000", "udp://127.0.0.1:5000/"],
)
def test_addresses(target):
    assert stream.open_live(target, LiveOptions(SIZE, 25)).notices == []
