"""Sources that have an address, against servers of this test on the loopback."""

import itertools
import socket
import threading
import time
from fractions import Fraction

import av
import numpy as np
import pytest

from streamtoon import sources
from streamtoon.cli.main import main
from streamtoon.errors import SourceError, UsageError
from streamtoon.sources import LiveOptions

SIZE = (96, 64)
SHADES = (60, 200)


class Rtsp(threading.Thread):
    """One camera: each call gets so many pictures of one shade over RTP, and then the connection is cut."""

    def __init__(self, shades=SHADES, pictures=120):
        super().__init__(daemon=True)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = f"rtsp://anna:secret@127.0.0.1:{self.server.getsockname()[1]}/door"
        self.shades, self.pictures = shades, pictures

    def run(self):
        for shade in self.shades:
            line, _ = self.server.accept()
            with line, line.makefile("rb") as reader:
                self.answer(line, reader, shade)
        self.server.close()

    def answer(self, line, reader, shade):
        port = 0
        while request := reader.readline().decode():
            head = dict(x.decode().rstrip().split(": ", 1) for x in iter(reader.readline, b"\r\n"))
            verb, extra, body, code = request.split()[0], "", "", "200 OK"
            if verb == "DESCRIBE":
                body = (
                    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=door\r\nt=0 0\r\n"
                    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\n"
                )
                extra = f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n"
            elif verb == "SETUP" and "TCP" in head["Transport"]:
                code = "461 Unsupported Transport"
            elif verb == "SETUP":
                ports = head["Transport"].split("client_port=")[1].split(";")[0]
                port = int(ports.split("-")[0])
                extra = f"Transport: RTP/AVP/UDP;unicast;client_port={ports};server_port=40000-40001\r\nSession: 1\r\n"
            line.sendall(f"RTSP/1.0 {code}\r\nCSeq: {head['CSeq']}\r\n{extra}\r\n{body}".encode())
            if verb == "PLAY":
                self.play(port, shade)
                return

    def play(self, port, shade):
        with av.open(f"rtp://127.0.0.1:{port}", "w", format="rtp") as output:
            stream = output.add_stream("libx264", rate=30)
            stream.width, stream.height = SIZE
            stream.pix_fmt, stream.options = "yuv420p", {"tune": "zerolatency", "g": "1"}
            for i in range(self.pictures):
                picture = np.full((SIZE[1] * 3 // 2, SIZE[0]), 128, np.uint8)
                picture[: SIZE[1]] = shade
                frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
                frame.pts, frame.time_base = i, Fraction(1, 30)
                output.mux(stream.encode(frame))
                time.sleep(1 / 60)


def test_a_camera_that_goes_is_called_until_it_is_back(caplog):
    camera = Rtsp()
    camera.start()
    caplog.set_level("INFO")
    stop = threading.Event()
    began = time.monotonic()
    with sources.open_live(camera.address, LiveOptions(stop=stop)) as source:
        assert source.size == SIZE
        frames = []
        for frame in source.frames():
            frames.append(frame)
            if abs(float(frame.planes[0].mean()) - SHADES[1]) < 4:
                stop.set()
    shades = [round(float(f.planes[0].mean()) / 10) * 10 for f in frames]
    assert [s for s, _ in itertools.groupby(shades)] == [60, 200]
    assert [f.index for f in frames] == list(range(len(frames)))
    times = [f.seconds for f in frames]
    assert times == sorted(times)
    assert began < times[0] <= times[-1] <= time.monotonic()
    shown = camera.address.replace("anna:secret@", "").removesuffix("/door")
    assert caplog.messages == [
        f"{shown} gives no more pictures; it is called again until it is back",
        f"{shown} is back",
    ]


def test_a_film_on_a_server_is_played_at_its_own_rate(moved_film):
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=moved_film.parent)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        began = time.monotonic()
        with sources.open_live(f"http://127.0.0.1:{server.server_port}/{moved_film.name}") as source:
            assert source.size == (640, 360)
            seconds = [f.seconds for f in source.frames()]
        server.shutdown()
    assert len(seconds) == 24
    assert [s - seconds[0] for s in seconds] == [Fraction(i, 30) for i in range(24)]
    assert began < seconds[0] < seconds[-1] <= time.monotonic()


def test_nobody_answers():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(SourceError, match=rf"cannot read rtsp://127.0.0.1:{port}: Connection refused; check"):
        sources.open_live(f"rtsp://anna:secret@127.0.0.1:{port}/door")


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://host/x", "concat://a|b", "://"])
def test_other_addresses_are_not_opened(address):
    with pytest.raises(UsageError, match="an address begins with one of rtsp://"):
        sources.open_live(address)


def test_live_says_so_in_one_line(tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    out = str(tmp_path / "a.mp4")
    assert main(["live", "--no-preview", "--source", f"rtsp://127.0.0.1:{port}/x", "--sink", out]) == 1
    assert capsys.readouterr().err.count("\n") == 1
