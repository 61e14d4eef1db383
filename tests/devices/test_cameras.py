"""Which cameras there are, and which one a target names."""

import fcntl
import os
import struct
from types import ModuleType, SimpleNamespace

import cv2
import pytest
from scripted_camera import Scripted, linux_world

from streamtoon.devices import cameras
from streamtoon.devices.cameras import Camera
from streamtoon.errors import SourceError, UsageError


@pytest.fixture
def world(tmp_path):
    with linux_world(tmp_path) as made:
        yield made


def test_cameras_are_listed_and_virtual_ones_are_not(world):
    world.plug(10, "Logitech BRIO")
    world.plug(2, "Integrated Camera")
    world.plug(3, "Integrated Camera", index="1")  # its metadata
    world.plug(4, "streamtoon")
    world.plug(5, "OBS Virtual Camera")
    world.plug(6, "Phone", loopback=True)
    assert cameras.list_cameras(world.root) == [
        Camera(2, "Integrated Camera", "/dev/video2", cv2.CAP_V4L2),
        Camera(10, "Logitech BRIO", "/dev/video10", cv2.CAP_V4L2),
    ]


def test_what_the_driver_says_counts_more(world, monkeypatch):
    def ioctl(_node, request, answer):
        assert request == cameras.VIDIOC_QUERYCAP
        struct.pack_into("=II", answer, 84, 0x84A00001, flags.pop(0))

    for number, index in ((0, "0"), (1, "1"), (2, "0")):
        world.plug(number, f"node {number}", index)
        (world.root / "dev").mkdir(exist_ok=True)
        (world.root / f"dev/video{number}").touch()
    flags = [0x04A00000, 0x04200001, 0x04208000]  # metadata, capture, a codec
    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    assert [c.index for c in cameras.list_cameras(world.root)] == [1]


def test_where_names_are_not_told_numbers_are_tried(world, monkeypatch):
    monkeypatch.setattr(cameras.sys, "platform", "darwin")
    monkeypatch.setitem(cameras.sys.modules, "cv2_enumerate_cameras", None)
    world.plug(0, "")
    world.plug(1, "")
    found = cameras.list_cameras(world.root, lambda *at: Scripted(world, *at))
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
    assert cameras.choose(target, world.root).index == index


@pytest.mark.parametrize(
    "target", ["webcam:1", "webcam:phone", "webcam:nikon", "webcam:/dev/video9", "webcam:/dev/video4"]
)
def test_a_camera_that_is_not_there(world, target):
    world.plug(0, "Integrated Camera")
    world.plug(2, "BRIO")
    world.plug(4, "streamtoon", loopback=True)
    world.plug(6, "Phone", loopback=True)
    with pytest.raises(UsageError, match=r"choose one of 0 \(Integrated Camera\), 2 \(BRIO\)$"):
        cameras.choose(target, world.root)


def test_no_camera(world):
    for target in ("webcam:", "webcam:0", "webcam:brio"):
        with pytest.raises(SourceError, match="no camera is plugged in; plug one in"):
            world.open(target)
    assert world.opened == []


@pytest.mark.parametrize(("system", "backend"), [("win32", cv2.CAP_MSMF), ("darwin", cv2.CAP_AVFOUNDATION)])
def test_elsewhere_a_package_tells_the_names(world, monkeypatch, system, backend):
    package = ModuleType("cv2_enumerate_cameras")
    package.enumerate_cameras = lambda asked: (
        [SimpleNamespace(index=i, name=name) for i, name in enumerate(["OBS Virtual Camera", "BRIO", ""])]
        * (asked == backend)
    )
    monkeypatch.setattr(cameras.sys, "platform", system)
    world.plug(1, "")
    monkeypatch.setitem(cameras.sys.modules, "cv2_enumerate_cameras", package)
    assert cameras.list_cameras() == [Camera(1, "BRIO", "", backend), Camera(2, "camera 2", "", backend)]
    assert world.open("webcam:brio", size=(64, 48)).camera.name == "BRIO"
    assert world.opened == [(1, backend)]


def test_opencv_itself_is_asked_and_stays_silent(capfd, monkeypatch):
    monkeypatch.delenv("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", raising=False)
    with pytest.raises((SourceError, UsageError)):
        cameras.choose("webcam:nobody-has-a-camera-of-this-name")
    capture = cameras.capture(99, cv2.CAP_ANY)
    assert not capture.isOpened()
    capture.release()
    assert capfd.readouterr().err == ""
    assert "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT" not in os.environ
