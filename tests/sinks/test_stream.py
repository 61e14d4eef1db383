"""Streams, read back by another process over 127.0.0.1; servers that refuse, keep silent, stall and go away."""

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamtoon.errors import SinkError
from streamtoon.image.letterbox import CALLS
from streamtoon.image.planes import from_rgb
from streamtoon.privacy.guard import Guard
from streamtoon.sinks import LiveOptions, stream
from streamtoon.types import Colour, Frame

SIZE = (320, 180)
READER = """
import json, sys, av
import numpy as np
url, count, options, to = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3]), sys.argv[4]
with av.open(url, options=options) as film:
    seen = []
    for frame in film.decode(video=0):
        seen.append(dict(size=[frame.width, frame.height], pts=frame.pts, unit=float(frame.time_base),
                         key=frame.key_frame, matrix=int(frame.colorspace), range=int(frame.color_range),
                         codec=film.streams.video[0].codec_context.name, form=film.format.name))
        if len(seen) >= count:
            break
    np.save(to, frame.to_ndarray(format="yuv420p"))
print(json.dumps(seen))
"""


def drawn(image, layout="yuv420p", coding=CALLS):
    frame = Frame(from_rgb(image, layout, coding), layout, 0, Fraction(0), coding)
    return Guard(private=False)(frame, None, 0)


@pytest.fixture
def soft(portrait):
    return cv2.resize(portrait[100:388], SIZE, interpolation=cv2.INTER_AREA)


@pytest.fixture
def port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Reader:
    """PyAV in a process of its own."""

    def __init__(self, url, count, to, **options):
        self.to = to / "last.npy"
        self.process = subprocess.Popen(
            [sys.executable, "-c", READER, url, str(count), json.dumps(options), str(self.to)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def frames(self):
        out, err = self.process.communicate(timeout=20)
        assert self.process.returncode == 0, err
        return json.loads(out)

    def picture(self):
        return cv2.cvtColor(np.load(self.to), cv2.COLOR_YUV2RGB_I420).astype(int)

    @property
    def reads(self):
        return self.process.poll() is None

    def end(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def reader(tmp_path):
    made = []

    def start(url, count, **options):
        made.append(Reader(url, count, tmp_path, **options))
        return made[-1]

    yield start
    for one in made:
        one.end()


class Clock:
    """Moved by ``feed``: a 25th of a second for each picture, a fifth more for every tenth."""

    def __init__(self):
        self.now, self.count = 50.0, itertools.count(1)

    def __call__(self):
        return self.now

    def move(self):
        self.now += 0.24 if next(self.count) % 10 == 0 else 0.04


def feed(send, pictures, while_, seconds=15.0, clock=None):
    """Send pictures, 60 a second, for as long as ``while_`` says."""
    end = time.monotonic() + seconds
    for picture in itertools.cycle(pictures):
        if not while_() or time.monotonic() > end:
            return
        if clock:
            clock.move()
        send(picture)
        time.sleep(1 / 60)


def test_udp_is_read_back_by_one_who_tunes_in_late(reader, port, soft):
    url = f"udp://127.0.0.1:{port}"
    clock = Clock()
    before = iter(range(30))
    with stream.open_live(url, LiveOptions(SIZE, 25, clock=clock)) as send:
        feed(send, [drawn(soft)], lambda: next(before, None) is not None, clock=clock)  # nobody listens
        late = reader(url, 60, timeout="15000000")
        feed(send, [drawn(soft)], lambda: late.reads, clock=clock)
    frames = late.frames()
    assert len(frames) == 60
    assert {(f["codec"], f["form"], tuple(f["size"])) for f in frames} == {("h264", "mpegts", SIZE)}
    assert {(f["matrix"], f["range"]) for f in frames} == {(6, 1)}  # BT.601, limited
    assert abs(late.picture() - soft).mean() < 4
    keys = [i for i, f in enumerate(frames) if f["key"]]
    assert keys[0] == 0
    assert set(np.diff(keys)) == {25}  # a second
    steps = np.diff([f["pts"] * f["unit"] for f in frames])
    assert sorted(set(np.round(steps, 3))) == [0.04, 0.24]  # the clock's own gaps, none made even
    assert np.count_nonzero(steps > 0.1) in (5, 6)


@pytest.mark.parametrize("coding", [CALLS, Colour("bt709")])
def test_any_picture_becomes_the_stream_s(reader, port, coding):
    url = f"udp://127.0.0.1:{port}"
    narrow = np.full((180, 180, 3), (40, 160, 220), np.uint8)
    several = [
        drawn(narrow), drawn(narrow, "rgb24"), drawn(narrow, "yuv420p", Colour("bt709", full_range=True)),
        drawn(cv2.resize(narrow, (90, 90))), drawn(cv2.resize(narrow, (401, 401)), "rgb24"),
    ]  # fmt: skip
    with stream.open_live(url, LiveOptions(SIZE, 25), colour=coding) as send:
        one = reader(url, 28, timeout="15000000")
        feed(send, several, lambda: one.reads)
    frames = one.frames()
    assert {tuple(f["size"]) for f in frames} == {SIZE}
    assert {f["matrix"] for f in frames} == {6 if coding == CALLS else 1}
    luma, u, v = np.split(np.load(one.to).reshape(-1), (320 * 180, 320 * 180 * 5 // 4))
    expected = [int(p.mean()) for p in from_rgb(narrow, "yuv420p", coding)]
    inside = [luma.reshape(180, 320)[20:160, 90:230], *(p.reshape(90, 160)[10:80, 45:115] for p in (u, v))]
    assert [p.mean() for p in inside] == pytest.approx(expected, abs=3)
    assert luma.reshape(180, 320)[:, :60].mean() == pytest.approx(16, abs=3)


def test_rtmp_is_read_back(reader, port, soft):
    url = f"rtmp://127.0.0.1:{port}/live/secret"
    server = reader(url, 40, listen="1", timeout="15")
    clock = Clock()
    with connected(url, clock=clock) as (send, _):
        relay = children()
        assert len(relay) == 1
        assert b"secret" not in Path(f"/proc/{relay[0]}/cmdline").read_bytes()
        with suppress(SinkError):  # it goes when it has seen enough
            feed(send, [drawn(soft)], lambda: server.reads, clock=clock)
    frames = server.frames()
    assert {(f["codec"], f["form"], tuple(f["size"])) for f in frames} == {("h264", "flv", SIZE)}
    assert abs(server.picture() - soft).mean() < 4
    assert set(np.round(np.diff([f["pts"] * f["unit"] for f in frames]), 2)) == {0.04, 0.24}
    assert children() == []


@contextmanager
def connected(url, clock=time.monotonic, **options):
    """An entered sink, and the sink: a listener takes a while to be there."""
    with ExitStack() as stack:
        for attempt in itertools.count():
            sink = stream.open_live(url, LiveOptions(SIZE, 25, clock=clock), **options)
            try:
                send = stack.enter_context(sink)
            except SinkError:
                if attempt > 20:
                    raise
                time.sleep(0.2)
                continue
            break
        yield send, sink


def children():
    """Process ids of relays of this process that still run."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = status.read_text().rpartition(")")[2].split()[:2]
            line = (status.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(parent) == os.getpid() and state != "Z" and b"rtmp_process.py" in line:
            found.append(int(status.parent.name))
    return found


def test_a_server_that_goes_away(reader, port, soft):
    url = f"rtmp://127.0.0.1:{port}/live/secret"
    server = reader(url, 10**6, listen="1", timeout="15")
    with connected(url) as (send, _):
        feed(send, [drawn(soft)], lambda: True, seconds=0.5)
        server.end()
        with pytest.raises(
            SinkError, match=rf"^cannot stream to rtmp://127.0.0.1:{port}: .+; check the address"
        ) as caught:
            feed(send, [drawn(soft)], lambda: True)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert children() == []


def test_a_server_that_is_not_there(port):
    sink = stream.open_live(f"rtmp://127.0.0.1:{port}/live/secret", LiveOptions(SIZE, 25))
    with pytest.raises(
        SinkError, match=rf"^cannot stream to rtmp://127.0.0.1:{port}: Connection refused; check the address"
    ):
        sink.__enter__()
    assert children() == []


def test_a_server_that_keeps_silent_holds_nobody_up():
    counted = []
    stop = threading.Event()
    counter = threading.Thread(
        target=lambda: [counted.append(time.monotonic()) for _ in iter(lambda: stop.wait(0.01), True)]
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        sink = stream.open_live(
            f"rtmp://127.0.0.1:{server.getsockname()[1]}/live/x", LiveOptions(SIZE, 25), timeout=1.0
        )
        counter.start()
        with pytest.raises(SinkError, match="the server does not answer within 1 s; check the address"):
            sink.__enter__()
        stop.set()
        counter.join()
    assert max(np.diff(counted)) < 0.9  # a lock held while connecting would be one gap of all that time
    assert len(counted) > 20
    assert children() == []


def test_a_server_that_takes_nothing_more(reader, port):
    now = [0.0]
    reader(f"rtmp://127.0.0.1:{port}/live/x", 10**6, listen="1", timeout="15")
    with connected(f"rtmp://127.0.0.1:{port}/live/x", clock=lambda: now[0], timeout=5.0) as (_, sink):
        (relay,) = children()
        transport = sink._transport
        os.kill(relay, signal.SIGSTOP)
        for _ in range(400):  # more than the system keeps for it, and it does not wait for any of them
            transport.write(bytes(1 << 16))
        now[0] = 4.9
        transport.write(b"x")
        now[0] = 5.1
        with pytest.raises(SinkError, match="the server has taken nothing for 5 s"):
            transport.write(b"x")
    assert children() == []


def test_a_network_that_is_down(soft, port):
    with pytest.raises(SinkError, match=r"^cannot stream to udp://nobody.invalid:5000: .+; check the address"):
        stream.open_live("udp://nobody.invalid:5000", LiveOptions(SIZE, 25)).__enter__()
    sink = stream.open_live(f"udp://127.0.0.1:{port}", LiveOptions(SIZE, 25))
    with sink as send:
        send(drawn(soft))
        sink._transport.close()  # what the kernel says of an interface that is gone
        with pytest.raises(SinkError, match=r"Bad file descriptor; check the address"):
            send(drawn(soft))


def test_nothing_but_a_drawn(port, soft):
    picture = drawn(soft)
    with (
        stream.open_live(f"udp://127.0.0.1:{port}", LiveOptions(SIZE, 25)) as send,
        pytest.raises(TypeError, match="only an OutputFrame"),
    ):
        send(Frame(picture.planes, "yuv420p", 0, Fraction(0), CALLS))
