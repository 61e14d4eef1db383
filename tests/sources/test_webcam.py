"""Cameras that are not here: folders as Linux shows them, and a capture that plays what the test has written."""

import fcntl
import struct
import threading
from fractions import Fraction

import cv2
import numpy as np
import pytest

from streamtoon.errors import SourceError, UsageError
from streamtoon.image.planes import to_rgb
from streamtoon.sources import webcam
from streamtoon.sources.webcam import Camera
from streamtoon.types import Colour

STEP = 1 / 30


def picture(index, size=(64, 48)):
    return np.random.default_rng(index).integers(0, 256, (size[1], size[0], 3), np.uint8)


class World:
    """Which camera is plugged in where, what each read gives, and the time."""

    def __init__(self, root):
        self.root = root
        self.now = 100.0
        self.plan = []
        self.asked, self.opened, self.said, self.waits = [], [], [], []
        self.open_now = 0
        self.real = (64, 48, 30.0)
        self.stop = Stop(self)

    def plug(self, number, name, index="0", *, loopback=False):
        folder = self.root / webcam.SYSFS / f"video{number}"
        folder.mkdir(parents=True)
        (folder / "name").write_text(name + "\n")
        (folder / "index").write_text(index + "\n")
        if loopback:
            (folder / "max_openers").write_text("10\n")

    def unplug(self, number):
        for file in (self.root / webcam.SYSFS / f"video{number}").iterdir():
            file.unlink()
        (self.root / webcam.SYSFS / f"video{number}").rmdir()

    def open(self, target="webcam:", **options):
        return webcam.open(
            target, opener=lambda *at: Scripted(self, *at), clock=lambda: self.now, stop=self.stop,
            say=self.said.append, system=self.root, **options,
        )  # fmt: skip

    def play(self, plan, **options):
        """The frames a plan gives; it ends the camera. A plan holds pictures, None, errors and things to do."""
        self.plan = list(plan)
        return list(self.open(**options).frames())


class Scripted:
    """Stands for cv2.VideoCapture."""

    def __init__(self, world, index, backend):
        self.world = world
        world.opened.append((index, backend))
        self.good = (world.root / webcam.SYSFS / f"video{index}").exists()
        world.open_now += self.good

    def isOpened(self):  # noqa: N802 - OpenCV's name
        return self.good

    def set(self, prop, value):
        self.world.asked.append((prop, value))
        return True

    def get(self, prop):
        names = (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FPS)
        return self.world.real[names.index(prop)]

    def read(self):
        assert self.good, "read after release"
        self.world.now += STEP
        while self.world.plan:
            step = self.world.plan.pop(0)
            if callable(step):
                step()
                continue
            if isinstance(step, Exception):
                raise step
            return step is not None, step
        self.world.stop.set()
        return False, None

    def release(self):
        self.world.open_now -= self.good
        self.good = False


class Stop(threading.Event):
    """Waiting moves the world's time on."""

    def __init__(self, world):
        super().__init__()
        self.world = world

    def wait(self, timeout=None):
        self.world.waits.append(timeout)
        self.world.now += timeout
        if len(self.world.waits) > 20:  # nothing the test has planned comes back
            self.set()
        return self.is_set()


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.setattr(webcam.sys, "platform", "linux")
    return World(tmp_path)


@pytest.fixture
def one(world):
    world.plug(0, "Integrated Camera")
    return world


def test_cameras_are_listed_and_virtual_ones_are_not(world):
    world.plug(10, "Logitech BRIO")
    world.plug(2, "Integrated Camera")
    world.plug(3, "Integrated Camera", index="1")  # its metadata
    world.plug(4, "streamtoon")
    world.plug(5, "OBS Virtual Camera")
    world.plug(6, "Phone", loopback=True)
    assert webcam.cameras(world.root) == [
        Camera(2, "Integrated Camera", "/dev/video2"), Camera(10, "Logitech BRIO", "/dev/video10"),
    ]  # fmt: skip


def test_what_the_driver_says_counts_more(world, monkeypatch):
    def ioctl(_node, request, answer):
        assert request == webcam.QUERYCAP
        struct.pack_into("=II", answer, 84, 0x84A00001, flags.pop(0))

    for number, index in ((0, "0"), (1, "1"), (2, "0")):
        world.plug(number, f"node {number}", index)
        (world.root / "dev").mkdir(exist_ok=True)
        (world.root / f"dev/video{number}").touch()
    flags = [0x04A00000, 0x04200001, 0x04208000]  # metadata, capture, a codec
    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    assert [c.index for c in webcam.cameras(world.root)] == [1]


def test_where_names_are_not_told_numbers_are_tried(world, monkeypatch):
    monkeypatch.setattr(webcam.sys, "platform", "darwin")
    world.plug(0, "")
    world.plug(1, "")
    found = webcam.cameras(world.root, lambda *at: Scripted(world, *at))
    assert found == [Camera(0, "camera 0"), Camera(1, "camera 1")]
    assert world.open_now == 0
    world.opened.clear()
    assert world.open("webcam:1").camera == Camera(1, "camera 1")
    assert world.opened == [(1, cv2.CAP_ANY)]  # and no other was switched on


@pytest.mark.parametrize(
    ("target", "index"),
    [("webcam:", 0), ("webcam:2", 2), ("webcam:/dev/video2", 2), ("webcam:brio", 2), ("webcam:CAMERA", 0),
     ("webcam:brio 4", 3), ("webcam:/dev/video6", 6)],
)  # fmt: skip
def test_chosen_by_number_or_name(world, target, index):
    for number, name in ((0, "Integrated Camera"), (2, "Logitech BRIO 4K"), (3, "Brio 4")):
        world.plug(number, name)
    world.plug(6, "Phone", loopback=True)  # somebody else's virtual camera: by its full name only
    assert webcam.choose(target, world.root).index == index


@pytest.mark.parametrize(
    "target", ["webcam:1", "webcam:phone", "webcam:nikon", "webcam:/dev/video9", "webcam:/dev/video4"]
)
def test_a_camera_that_is_not_there(world, target):
    world.plug(0, "Integrated Camera")
    world.plug(2, "BRIO")
    world.plug(4, "streamtoon", loopback=True)
    world.plug(6, "Phone", loopback=True)
    with pytest.raises(UsageError, match=r"choose one of 0 \(Integrated Camera\), 2 \(BRIO\)$"):
        webcam.choose(target, world.root)


def test_no_camera(world):
    for target in ("webcam:", "webcam:0", "webcam:brio"):
        with pytest.raises(SourceError, match="no camera is plugged in; plug one in"):
            world.open(target)
    assert world.opened == []


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


@pytest.mark.parametrize("end", [[None] * webcam.MISSES, [cv2.error("gone")], [OSError("gone")]])
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
    gone = [None] * webcam.MISSES
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
    assert seen[-3][0] == pytest.approx(100 + STEP + webcam.FROZEN, abs=2 * STEP)
    assert len(seen) == pytest.approx(webcam.FROZEN / STEP + 3, abs=2)
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
    camera = webcam.open("webcam:", opener=lambda *at: Scripted(one, *at), stop=stop, system=one.root)
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


def test_opencv_itself_is_asked_and_stays_silent(capfd):
    with pytest.raises((SourceError, UsageError)):
        webcam.read("webcam:nobody-has-a-camera-of-this-name")
    capture = webcam.capture(99, cv2.CAP_ANY)
    assert not capture.isOpened()
    capture.release()
    assert capfd.readouterr().err == ""
