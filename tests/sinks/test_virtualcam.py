"""The virtual camera, through pyvirtualcam's own registration of back ends; devices as Linux shows them."""

from fractions import Fraction
from typing import ClassVar

import cv2
import numpy as np
import pytest

from streamtoon.devices import loopback
from streamtoon.errors import SinkError, UsageError
from streamtoon.image.letterbox import CALLS
from streamtoon.image.planes import from_rgb
from streamtoon.privacy.guard import Guard
from streamtoon.sinks import LiveOptions, virtualcam
from streamtoon.types import Colour, Frame

pyvirtualcam = pytest.importorskip("pyvirtualcam", reason="pyvirtualcam is not installed (extra live)")

SIZE = (320, 240)
EXACT = "sudo modprobe v4l2loopback devices=1 video_nr=10 card_label=streamtoon exclusive_caps=1"


class Recorder:
    """A back end that keeps what it is sent."""

    made: ClassVar[list] = []
    refuses = ()  # formats
    breaks = False

    def __init__(self, *, width, height, fps, fourcc, device):
        self.fmt = pyvirtualcam.PixelFormat(pyvirtualcam.util.decode_fourcc(fourcc))
        if self.fmt.name in self.refuses:
            raise ValueError(f"no {self.fmt}")
        self.size, self.fps, self.asked = (width, height), fps, device
        self.sent, self.closed = [], 0
        self.made.append(self)

    def send(self, samples):
        if self.breaks:
            raise RuntimeError("the device went away")
        assert samples.ndim == 1
        assert samples.flags.c_contiguous
        self.sent.append(samples.copy())

    def close(self):
        self.closed += 1

    def device(self):
        return self.asked or "/dev/recorder"

    def native_fourcc(self):
        return None


@pytest.fixture
def recorder(monkeypatch):
    monkeypatch.setattr(pyvirtualcam.camera, "BACKENDS", {})
    kind = type("Fresh", (Recorder,), {"made": []})
    pyvirtualcam.camera.register_backend("recorder", kind)
    return kind


@pytest.fixture
def system(tmp_path, monkeypatch):
    monkeypatch.setattr(virtualcam.sys, "platform", "linux")
    return tmp_path


def device(system, number, label, *, loopback=True):
    folder = system / f"sys/class/video4linux/video{number}"
    folder.mkdir(parents=True)
    (folder / "name").write_text(label + "\n")
    if loopback:
        (folder / "max_openers").write_text("10\n")
    (system / "dev").mkdir(exist_ok=True)
    (system / f"dev/video{number}").touch()


def module(system, exclusive="Y,N,N", numbers="10,-1,-1"):
    folder = system / "sys/module/v4l2loopback/parameters"
    folder.mkdir(parents=True)
    (folder / "exclusive_caps").write_text(exclusive + "\n")
    (folder / "video_nr").write_text(numbers + "\n")


def drawn(image, layout="yuv420p", coding=CALLS):
    frame = Frame(from_rgb(image, layout, coding), layout, 0, Fraction(0), coding)
    return Guard(private=False)(frame, None, 0)


@pytest.fixture
def soft(portrait):
    return cv2.resize(portrait, SIZE, interpolation=cv2.INTER_AREA)


def shown(samples, size=SIZE):
    return cv2.cvtColor(samples.reshape(size[1] * 3 // 2, size[0]), cv2.COLOR_YUV2RGB_I420).astype(int)


def rough(image):
    return cv2.blur(image.astype(np.float32), (16, 16))


def write():
    return virtualcam.open_live("virtualcam:", LiveOptions(SIZE, 30), backend="recorder")


def test_planes_reach_the_camera_as_they_are(recorder, soft):
    picture = drawn(soft)
    with write() as send:
        send(picture)
        send(picture)
    (camera,) = recorder.made
    assert (camera.fmt.name, camera.size, camera.fps, camera.closed) == ("I420", SIZE, 30, 1)
    assert len(camera.sent) == 2
    assert np.array_equal(camera.sent[1], np.concatenate([p.reshape(-1) for p in picture.planes]))


def test_a_camera_without_i420_gets_rgb(recorder, soft):
    recorder.refuses = ("I420",)
    with write() as send:
        send(drawn(soft))
    (camera,) = recorder.made
    assert camera.fmt.name == "RGB"
    assert abs(camera.sent[0].reshape(240, 320, 3).astype(int) - soft).mean() < 2.5


@pytest.mark.parametrize(
    ("layout", "coding", "size"),
    [
        ("rgb24", CALLS, SIZE),
        ("yuv420p", Colour("bt709"), SIZE),
        ("yuv420p", CALLS, (640, 480)),
        ("rgb24", CALLS, (161, 121)),
    ],
)
def test_any_picture_fits(recorder, soft, layout, coding, size):
    with write() as send:
        send(drawn(soft))
        send(drawn(cv2.resize(soft, size, interpolation=cv2.INTER_AREA), layout, coding))
        send(drawn(soft))
    sent = recorder.made[0].sent
    assert [len(s) for s in sent] == [320 * 240 * 3 // 2] * 3
    assert abs(rough(shown(sent[1])) - rough(soft)).mean() < 3


def test_another_shape_is_letterboxed(recorder):
    with write() as send:
        send(drawn(np.full((100, 100, 3), 200, np.uint8)))
    picture = shown(recorder.made[0].sent[0])
    assert (picture[:, 40:280] > 190).all()
    assert (picture[:, :40] < 5).all()
    assert (picture[:, 280:] < 5).all()


def test_odd_sizes_become_even(recorder):
    sink = virtualcam.open_live("virtualcam:", LiveOptions((319, 239), 30), backend="recorder")
    with sink as send:
        send(drawn(np.zeros((239, 319, 3), np.uint8)))
    assert recorder.made[0].size == SIZE
    assert "even" in sink.notices[0]


def test_nothing_but_a_drawn(recorder, soft):
    picture = drawn(soft)
    frame = Frame(picture.planes, "yuv420p", 0, Fraction(0), CALLS)
    with write() as send, pytest.raises(TypeError, match="only an OutputFrame"):
        send(frame)
    assert recorder.made[0].sent == []


def test_a_camera_that_is_busy_or_goes_away(recorder, soft):
    recorder.refuses = ("I420", "RGB")
    with pytest.raises(
        SinkError, match=r"^cannot write virtualcam:: 'recorder' backend: no I420 / .*; close the program"
    ):
        write().__enter__()
    recorder.refuses, recorder.breaks = (), True
    with write() as send, pytest.raises(SinkError, match="the device went away"):
        send(drawn(soft))
    assert recorder.made[0].closed == 1


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(virtualcam.sys.modules, "pyvirtualcam", None)
    with pytest.raises(UsageError, match=r'run: pip install "streamtoon\[live\]"$'):
        write()


def opens(system, recorder, target="virtualcam:"):
    """Which device is opened, and what is noticed."""
    sink = virtualcam.open_live(target, LiveOptions(SIZE, 30), system=system)
    with sink:
        pass
    assert recorder.made[-1].asked == sink.device
    return sink.device, sink.notices


def refused(system, recorder, target="virtualcam:"):
    """The error; nothing is opened."""
    before = len(recorder.made)
    with pytest.raises(SinkError) as caught:
        virtualcam.open_live(target, LiveOptions(SIZE, 30), system=system).__enter__()
    assert len(recorder.made) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_no_device_step_by_step(system, recorder, monkeypatch):
    device(system, 0, "Integrated Camera", loopback=False)
    assert f"v4l2loopback is not loaded; run: {EXACT} (where" in refused(system, recorder)
    assert "sudo apt install v4l2loopback-dkms" in refused(system, recorder)
    module(system, "N,N", "-1,-1")
    assert f"has made no device; run: sudo modprobe -r v4l2loopback && {EXACT}" in refused(system, recorder)
    device(system, 10, "streamtoon")
    with monkeypatch.context() as patch:
        patch.setattr(loopback.os, "access", lambda *_: False)
        assert "no permission for /dev/video10; run: sudo usermod -aG video $USER" in refused(system, recorder)
    assert "without exclusive_caps=1" in refused(system, recorder)
    assert f"run: sudo modprobe -r v4l2loopback && {EXACT}" in refused(system, recorder)


def test_named_it_is_used_as_it_is(system, recorder):
    device(system, 10, "streamtoon")
    module(system, "N", "10")
    path, notices = opens(system, recorder, "virtualcam:/dev/video10")
    assert path == "/dev/video10"
    assert len(notices) == 1
    assert EXACT in notices[0]


@pytest.mark.parametrize(
    ("labels", "target", "chosen"),
    [
        (["Dummy video device"], "virtualcam:", 20),
        (["OBS Virtual Camera", "streamtoon"], "virtualcam:", 21),
        (["streamtoon", "streamtoon two"], "virtualcam:", 20),
        (["streamtoon", "OBS Virtual Camera"], "virtualcam:obs", 21),
        (["streamtoon", "OBS Virtual Camera"], "virtualcam:/dev/video21", 21),
    ],
)
def test_which_device(system, recorder, labels, target, chosen):
    device(system, 0, "Integrated Camera", loopback=False)
    for number, label in enumerate(labels, 20):
        device(system, number, label)
    module(system, "Y,Y", "20,21")
    assert opens(system, recorder, target) == (f"/dev/video{chosen}", [])


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("virtualcam:", "it may be any of /dev/video20 (Left), /dev/video21 (Right); name one"),
        ("virtualcam:/dev/video0", "it is no device of v4l2loopback's; choose one of /dev/video20 (Left)"),
        ("virtualcam:Integrated", "it is no device of v4l2loopback's"),
        ("virtualcam:/dev/video22", "it is no device of v4l2loopback's"),
    ],
)
def test_never_a_device_that_was_not_asked_for(system, recorder, target, why):
    device(system, 0, "Integrated Camera", loopback=False)
    device(system, 20, "Left")
    device(system, 21, "Right")
    module(system, "Y,Y", "20,21")
    assert why in refused(system, recorder, target)


@pytest.mark.parametrize(
    ("flags", "numbers", "exclusive"),
    [
        ("Y,N", "20,21", [True, False]),
        ("N,Y", "-1,-1", [False, True]),
        ("N,Y", "21,20", [True, False]),
        (None, None, [True, True]),
    ],
)
def test_each_device_has_its_own_flag(system, flags, numbers, exclusive):
    device(system, 20, "Left")
    device(system, 21, "Right")
    if flags:
        module(system, flags, numbers)
    assert [d.exclusive for d in loopback.list_loopbacks(system)] == exclusive


@pytest.mark.parametrize(
    ("target", "asked"), [("virtualcam:", None), ("virtualcam:OBS Virtual Camera", "OBS Virtual Camera")]
)
def test_elsewhere_the_name_is_handed_on(system, recorder, monkeypatch, target, asked):
    monkeypatch.setattr(virtualcam.sys, "platform", "win32")
    sink = virtualcam.open_live(target, LiveOptions(SIZE, 30), system=system)
    with sink:
        pass
    assert recorder.made[0].asked == asked
    assert sink.device == (asked or "/dev/recorder")
