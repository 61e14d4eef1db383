"""What leaves a WebRTC connection, seen by a client that keeps every picture: the card first, never the camera's."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import aioice.ice
import numpy as np
import pytest
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.codecs import vpx
from av import VideoFrame

from streamtoon import style_folder
from streamtoon.errors import UsageError
from streamtoon.image.planes import to_rgb
from streamtoon.privacy.guard import Guard, card
from streamtoon.sources import portrait
from streamtoon.types import Frame
from streamtoon.web.settings import Choice, Settings
from streamtoon.web.tabs.stream import Stream
from streamtoon.web.toons import live_toon
from streamtoon.web.webrtc import media
from streamtoon.web.webrtc.media import MediaLoop, Outgoing
from streamtoon.web.webrtc.peer import Peer

SIZE = (320, 240)
CHOICE = Choice("engraving", "head", "paper")
CLIP = [to_rgb(f.planes, f.layout, f.colour) for f in portrait.read(f"portrait:30@{SIZE[0]}x{SIZE[1]}")]
BLANK = np.full_like(CLIP[0], 110)


class Camera(MediaStreamTrack):
    """Shows the pictures it is given, 15 a second, over and over."""

    kind = "video"

    def __init__(self, pictures):
        super().__init__()
        self.pictures, self.index = pictures, 0

    async def recv(self):
        await asyncio.sleep(1 / 15)
        picture = VideoFrame.from_ndarray(self.pictures[self.index % len(self.pictures)], "rgb24").reformat(
            format="yuv420p"
        )
        picture.pts, picture.time_base = self.index * 6000, Fraction(1, 90_000)
        self.index += 1
        return picture


def visit(make, pictures, count, change=None):
    """The first ``count`` pictures that come back, (h, w, 3) uint8 RGB, for a camera that shows ``pictures``."""

    async def run():
        connection = RTCPeerConnection()
        came = asyncio.Queue()

        @connection.on("track")
        def on_track(track):
            async def pump():
                for _ in range(count):
                    came.put_nowait((await track.recv()).to_ndarray(format="rgb24"))

            asyncio.ensure_future(pump())  # noqa: RUF006 - awaited by the queue

        connection.addTransceiver(Camera(pictures), "sendrecv")
        await connection.setLocalDescription(await connection.createOffer())
        answer = await asyncio.to_thread(peer.answer, connection.localDescription.sdp, make)
        await connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        pictures_back = []
        for index in range(count):
            pictures_back.append(await asyncio.wait_for(came.get(), 30))
            if change is not None and index == count // 2:
                await asyncio.to_thread(change, peer)
        await connection.close()
        return pictures_back

    ended = []
    with MediaLoop(local=True) as loop:
        peer = Peer(loop, (), SIZE, lambda: ended.append(1))
        with ThreadPoolExecutor(1) as pool:  # playwright may have a loop in this thread
            back = pool.submit(asyncio.run, run()).result()
        peer.close()
        deadline = time.monotonic() + 20
        while not ended and time.monotonic() < deadline:
            time.sleep(0.05)
        assert ended == [1]
    return back


def toon(style="engraving", background="paper"):
    settings = Settings()
    return lambda meter: live_toon(settings, Choice(style, "head", background), meter)


def far(picture, others):
    """Mean difference over the face from the nearest of ``others``, grey levels."""
    face = np.s_[60:150, 110:210]
    return min(float(np.abs(picture[face].astype(int) - other[face]).mean()) for other in others)


def the_card():
    y, half = np.zeros(SIZE[::-1], np.uint8), np.zeros((SIZE[1] // 2, SIZE[0] // 2), np.uint8)
    frame = Frame((y, half, half), "yuv420p", 0, Fraction(0))
    return to_rgb(card(frame, style_folder.load("engraving").paper), "yuv420p", frame.colour)


def is_card(picture):
    """Whether a picture is the card: an empty sheet, and the outline that an empty sheet lacks."""
    card = the_card()
    line = card.mean(axis=2) < 150
    return np.abs(picture.astype(int) - card).mean() < 4 and line.sum() > 100 and picture[line].mean() < 160


def test_the_first_picture_is_the_card_and_none_is_the_cameras():
    back = visit(toon(), CLIP, 20)
    assert is_card(back[0])
    assert not is_card(back[-1])  # later it is drawn
    assert far(CLIP[3], CLIP[:3]) < 15  # the measure works
    assert min(far(picture, CLIP) for picture in back) > 25


def test_no_face_gives_the_card():
    back = visit(toon(), [BLANK], 8)
    assert all(is_card(picture) for picture in back)


def test_an_engine_that_gives_the_photo_back_gives_the_card():
    settings = Settings(engine="echo")
    back = visit(lambda meter: live_toon(settings, CHOICE, meter), CLIP, 12)
    assert all(is_card(picture) for picture in back)


def test_changing_the_style_lets_nothing_out():
    back = visit(toon(), CLIP, 24, lambda peer: peer.switch(toon("wash")(peer.meter)))
    assert min(far(picture, CLIP) for picture in back) > 25


@pytest.mark.parametrize("offer", ["", "no offer", "v=0\r\n" * 10, "x" * 200_000])
def test_what_is_no_offer(offer):
    ended = []
    with MediaLoop(local=True) as loop:
        peer = Peer(loop, (), SIZE, lambda: ended.append(1))
        with pytest.raises(UsageError, match="offer"):
            peer.answer(offer, toon())


def test_the_libraries_are_as_before_when_the_loop_has_ended():
    before = vpx.MAX_BITRATE, aioice.ice.get_host_addresses
    with MediaLoop(local=True):
        assert vpx.MAX_BITRATE == media.MAX_BITRATE_BPS
        assert aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=True) == ["127.0.0.1"]
    assert (vpx.MAX_BITRATE, aioice.ice.get_host_addresses) == before


def test_only_a_drawn_can_be_sent():
    with MediaLoop(local=True) as loop:

        async def made():
            return Outgoing(loop, SIZE)

        outgoing = loop.run(made())
        frame = next(portrait.read("portrait:1@320x240"))
        with pytest.raises(TypeError):
            outgoing.send(frame)
        outgoing.send(Guard(private=True)(frame, None, 0))


def test_the_picture_stream_begins_with_the_card_too():
    stream = Stream(Settings())
    back = [stream(picture, CHOICE) for picture in CLIP[:6]]
    stream.close()
    assert is_card(back[0])
    assert min(far(picture, CLIP) for picture in back) > 25
    assert not is_card(back[-1])
