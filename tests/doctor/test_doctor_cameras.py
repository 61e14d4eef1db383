"""Cameras and the virtual camera of machines made of files."""

import ctypes
import errno
import platform

import pytest
from machines import device, loopback, write

from streamtoon.devices import v4l2
from streamtoon.devices.loopback import JOIN_GROUP_COMMAND
from streamtoon.doctor import hardware

U32 = ctypes.c_uint32


class Format(ctypes.Structure):
    """As in linux/videodev2.h, like the two below."""

    _fields_ = (
        ("index", U32), ("type", U32), ("flags", U32), ("description", ctypes.c_char * 32),
        ("pixelformat", ctypes.c_char * 4), ("mbus_code", U32), ("reserved", U32 * 3),
    )  # fmt: skip


class Size(ctypes.Structure):
    _fields_ = (
        ("index", U32), ("pixel_format", ctypes.c_char * 4), ("type", U32), ("sides", U32 * 6), ("reserved", U32 * 2),
    )  # fmt: skip


class Interval(ctypes.Structure):
    _fields_ = (
        ("index", U32), ("pixel_format", ctypes.c_char * 4), ("width", U32), ("height", U32), ("type", U32),
        ("parts", U32 * 6), ("reserved", U32 * 2),
    )  # fmt: skip


class Camera:
    """A driver: answers as the kernel does, EINVAL past the end of a list; ENOTTY to what is not asked here."""

    lists = {b"MJPG": [(1280, 720, [(1, 30), (1, 15)]), (1920, 1080, [(1001, 30000)])], b"YUYV": "range"}  # noqa: RUF012

    def __call__(self, _fd, request, data):
        if request & 0xFF not in (2, 74, 75):
            raise OSError(errno.ENOTTY, "Inappropriate ioctl for device")
        kind = {2: Format, 74: Size, 75: Interval}[request & 0xFF]
        assert len(data) == ctypes.sizeof(kind) == request >> 16 & 0x3FFF
        asked = kind.from_buffer(data)
        try:
            getattr(self, kind.__name__.lower())(asked)
        except IndexError:
            raise OSError(errno.EINVAL, "Invalid argument") from None
        return 0

    def format(self, asked):
        assert asked.type == 1
        asked.pixelformat = list(self.lists)[asked.index]

    def size(self, asked):
        if self.lists[asked.pixel_format] == "range":
            asked.type, asked.sides = 3, (U32 * 6)(32, 640, 2, 24, 480, 2)
        else:
            width, height, _ = self.lists[asked.pixel_format][asked.index]
            asked.type, asked.sides = 1, (U32 * 6)(width, height)

    def interval(self, asked):
        if self.lists[asked.pixel_format] == "range":
            asked.type, asked.parts = 3, (U32 * 6)(1, 25, 1, 1, 1, 1)
        else:
            rates = {(w, h): rates for w, h, rates in self.lists[asked.pixel_format]}
            asked.type, asked.parts = 1, (U32 * 6)(*rates[asked.width, asked.height][asked.index])


def test_a_camera_tells_its_modes(root, monkeypatch):
    device(root, 2, "HD Webcam")
    monkeypatch.setattr("fcntl.ioctl", Camera())
    assert v4l2.modes(root / "dev/video2") == [
        v4l2.Mode("MJPG", 1280, 720, 30.0),
        v4l2.Mode("MJPG", 1920, 1080, 30000 / 1001),
        v4l2.Mode("YUYV", 640, 480, 25.0),
    ]
    (camera,) = hardware.cameras(root)
    assert camera.state == "ok"
    assert camera.what == "/dev/video2, HD Webcam: MJPG 1920x1080@29.97 1280x720@30; YUYV 640x480@25"


def test_cameras_that_do_not_open(root):
    (none,) = hardware.cameras(root)
    assert (none.state, none.what) == ("missing", "no camera")
    assert "--source clip.mp4" in none.fix
    loopback(root, exclusive="Y")
    device(root, 0, "HD Webcam", node=False)
    device(root, 1, "HD Webcam", index=1, node=False)
    (camera,) = hardware.cameras(root)
    assert (camera.state, camera.what) == ("broken", "/dev/video0, HD Webcam: No such file or directory")
    assert camera.fix.startswith("docker run --device /dev/video0 ...")
    (root / "dev/video0").mkdir()  # opens for nobody
    (camera,) = hardware.cameras(root)
    assert camera.what == "/dev/video0, HD Webcam: Is a directory"
    assert camera.fix.startswith("unplug it")


def virtual_camera(root):
    (found,) = [f for f in hardware.virtual_camera(root) if f.name == "virtual camera"]
    return found


def test_the_virtual_camera_step_by_step(root, monkeypatch):
    exact = "sudo modprobe v4l2loopback devices=1 video_nr=10 card_label=streamtoon exclusive_caps=1"
    step = virtual_camera(root)
    assert (step.what, step.fix) == ("v4l2loopback is not installed", f"sudo apt install v4l2loopback-dkms\n{exact}")
    write(root / "lib/modules" / platform.release() / "modules.dep", "updates/dkms/v4l2loopback.ko.zst: kernel/x.ko")
    step = virtual_camera(root)
    assert (step.what, step.fix) == ("v4l2loopback is not loaded", exact)
    (root / "sys/module/v4l2loopback").mkdir(parents=True)
    assert "has no device" in virtual_camera(root).what
    loopback(root, exclusive="N", node=False)
    step = virtual_camera(root)
    assert step.state == "broken"
    assert step.fix.startswith("docker run --device /dev/video10 ...")
    write(root / "dev/video10", "")
    step = virtual_camera(root)
    assert (step.state, step.fix) == ("broken", f"sudo modprobe -r v4l2loopback\n{exact}")
    assert "without exclusive_caps" in step.what
    write(root / "sys/module/v4l2loopback/parameters/exclusive_caps", "Y,N\n")
    step = virtual_camera(root)
    assert (step.state, step.what) == ("ok", "/dev/video10 (streamtoon)")
    monkeypatch.setattr(hardware.os, "access", lambda *_: False)
    assert virtual_camera(root).fix.startswith(JOIN_GROUP_COMMAND)


@pytest.mark.parametrize("there", [True, False])
def test_pyvirtualcam(root, monkeypatch, there):
    monkeypatch.setattr(hardware.importlib.util, "find_spec", lambda _: there)
    monkeypatch.setattr(hardware.metadata, "version", lambda _: "1.2.3")
    package = next(hardware.virtual_camera(root))
    assert (package.name, package.state) == ("pyvirtualcam", "ok" if there else "missing")
    assert package.fix == ("" if there else 'pip install "streamtoon[live]"')
