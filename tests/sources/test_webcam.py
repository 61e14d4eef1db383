"""A camera is read as it is; one that goes away, freezes or hangs is waited for."""

import os
import threading
from fractions import Fraction

import cv2
import numpy as np
import pytest
from scripted_camera import STEP, Scripted, Stop, linux_world, picture

from streamtoon.errors import SourceError
from streamtoon.image.planes import to_rgb
from streamtoon.sources import LiveOptions, webcam
from streamtoon.types import Colour


@pytest.fixture
def world(tmp_path):
    with linux_world(tmp_path) as made:
        yield made


@pytest.fixture
def one(world):
    world.plug(0, "Integrated Camera")
    return world


def test_one_that_does_not_open(one):
    one.opened = Refusing()
    with pytest.raises(SourceError, match=r"Integrated Camera: /dev/video0 does not open; close the program"):
        one.open()


class Refusing(list):
    def append(self, _at):
        raise cv2.error("busy")


def test_asked_and_given(one):
    one.real = (640, 480, 15.0)
    camera = one.open(size=(1280, 720), fps=30)
    assert one.opened == [(0, cv2.CAP_V4L2)]
    assert one.asked == [
        (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG")), (cv2.CAP_PROP_FRAME_WIDTH, 1280),
        (cv2.CAP_PROP_FRAME_HEIGHT, 720), (cv2.CAP_PROP_FPS, 30),
    ]  # fmt: skip
    assert (camera.size, camera.fps) == ((640, 480), 15.0)
    assert (
        camera.notices
        == one.said
        == ["Integrated Camera gives 640x480 px at 15 a second; 1280x720 at 30 was asked for"]
    )


def test_nothing_is_said_where_it_gives_what_was_asked(one):
    camera = one.open(size=(64, 48), fps=30)
    camera.close()
    assert one.said == []
    assert one.open_now == 0


def test_frames(one, portrait):
    image = cv2.cvtColor(portrait, cv2.COLOR_RGB2BGR)
    first, second = one.play([image, image[:, ::-1]])
    assert (first.layout, first.colour, first.width, first.height) == ("yuv420p", Colour("bt601"), 512, 512)
    assert abs(to_rgb(first.planes, first.layout, first.colour).astype(int) - portrait).mean() < 2.5
    assert [first.index, second.index] == [0, 1]
    assert [float(f.seconds) for f in (first, second)] == pytest.approx([100 + STEP, 100 + 2 * STEP])
    assert isinstance(first.seconds, Fraction)
    assert one.open_now == 0


def test_an_odd_picture_loses_its_last_row_and_column(one):
    (frame,) = one.play([picture(0, (65, 49))])
    assert [p.shape for p in frame.planes] == [(48, 64), (24, 32), (24, 32)]


@pytest.mark.parametrize("end", [[None] * webcam.FAILED_READS, [cv2.error("gone")], [OSError("gone")]])
def test_unplugged_and_plugged_in_again(world, end):
    world.plug(2, "BRIO")

    def away():
        world.unplug(2)
        world.plug(0, "Somebody else's")  # must not be opened in its place

    returned = []

    def wait(timeout):
        if len(world.waits) == 6:
            world.plug(7, "BRIO")  # under another number
            returned.append(True)
        return Stop.wait(world.stop, timeout)

    world.stop.wait = wait
    frames = world.play(
        [picture(0), picture(1), away, *end, picture(2), picture(3)], target="webcam:brio", size=(64, 48)
    )
    assert returned
    assert [f.index for f in frames] == [0, 1, 2, 3]
    assert world.waits == [0.25, 0.5, 1, 2, 4, 4, 4]
    assert [index for index, _ in world.opened] == [2, 7]
    assert float(frames[2].seconds - frames[1].seconds) > 15  # the clock went on
    assert [line.split(" is ")[1].split(":")[0] for line in world.said] == ["lost", "back"]
    assert world.open_now == 0


def test_after_each_return_the_wait_begins_anew(one):
    gone = [None] * webcam.FAILED_READS
    frames = one.play([picture(0), *gone, *gone, picture(1), *gone, picture(2)])
    assert len(frames) == 3
    assert one.waits == [0.25, 0.5, 0.25]
    assert [line.split(":")[0] for line in one.said if "lost" in line] == ["Integrated Camera is lost"] * 2


def test_a_camera_that_blocks_counts_as_lost_by_the_clock(one):
    def hang():
        one.now += 2.0  # V4L2's own limit

    camera = one.open()
    one.plan = [picture(0), hang, None, lambda: one.said.append("reopened"), picture(1)]
    assert len(list(camera.frames())) == 2
    assert one.waits == [0.25]


def test_a_damaged_picture_is_no_loss(one):
    frames = one.play([picture(0), None, np.zeros((0, 0, 3), np.uint8), None, picture(1)], size=(64, 48))
    assert [f.index for f in frames] == [0, 1]
    assert one.waits == one.said == []


def test_frozen(one):
    still, seen = picture(0), []
    camera = one.open(size=(64, 48))
    one.plan = [still.copy() for _ in range(200)] + [picture(1), picture(2)]
    for frame in camera.frames():
        seen.append((float(frame.seconds), camera.lost))
    # for two seconds it may be somebody who sits still before a quiet camera; then it is shown no longer
    assert seen[-3][0] == pytest.approx(100 + STEP + webcam.FROZEN_S, abs=2 * STEP)
    assert len(seen) == pytest.approx(webcam.FROZEN_S / STEP + 3, abs=2)
    assert np.array_equal(frame.planes[0], webcam.planes(picture(2))[0])
    assert not any(lost for _, lost in seen)
    assert one.waits == [0.25, 0.5, 1]  # opened again for two seconds each time
    assert [line for line in one.said if "lost" in line] == [
        "Integrated Camera is lost: its picture is frozen; it is waited for"
    ]


def test_a_change_in_one_sample_is_life(one):
    calm = [picture(0).copy() for _ in range(150)]
    for index, image in enumerate(calm):
        image[5, 7, 1] = index  # none of those that are looked at first
    assert len(one.play(calm)) == 150
    assert one.waits == []


def test_its_size_may_change(one):
    frames = one.play([picture(0), picture(1, (96, 54)), picture(2)], size=(64, 48))
    assert [(f.width, f.height) for f in frames] == [(64, 48), (96, 54), (64, 48)]
    assert [line.split(";")[0] for line in one.said] == [
        "Integrated Camera gives 96x54 px at 30 a second", "Integrated Camera gives 64x48 px at 30 a second",
    ]  # fmt: skip


def test_stop_ends_it_out_of_a_wait(one):
    stop = threading.Event()
    one.plan = [picture(0), *[None] * 1000]
    options = LiveOptions(stop=stop)
    camera = webcam.open_live("webcam:", options, opener=lambda *at: Scripted(one, *at), system=one.root)
    frames = camera.frames()
    next(frames)
    threading.Timer(0.1, stop.set).start()
    assert next(frames, None) is None
    assert one.open_now == 0


def test_who_stops_early_lets_the_camera_go(one):
    one.plan = [picture(0), picture(1)]
    frames = one.open().frames()
    next(frames)
    assert one.open_now == 1
    frames.close()
    assert one.open_now == 0


def test_opencvs_time_limit_is_set_for_the_first_read_alone(one, monkeypatch):
    name, seen = "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", []
    monkeypatch.delenv(name, raising=False)
    look = lambda: seen.append(os.environ.get(name))  # noqa: E731 - a step of the plan
    one.play([look, picture(0), look, picture(1)])
    assert seen == ["2", None]
    assert name not in os.environ
