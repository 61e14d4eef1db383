"""doctor on this machine, on machines made of files, and on broken ones."""

import ctypes
import errno
import json
import os
import platform
import subprocess
import sys

import pytest

import engines
from streamtoon import style_folder
from streamtoon.devices import v4l2
from streamtoon.devices.loopback import JOIN_GROUP_COMMAND
from streamtoon.doctor import hardware, probe, report
from streamtoon.doctor.hardware import Finding
from streamtoon.pipeline import face_models

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


@pytest.fixture
def root(tmp_path):
    """The root of a machine that has nothing."""
    folder = tmp_path / "root"
    (folder / "sys/class/video4linux").mkdir(parents=True)
    (folder / "dev").mkdir()
    return folder


def write(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def device(root, number, name, at="pci0000:00/usb1", *, index=0, node=True):
    folder = root / "sys/devices" / at / "video4linux" / f"video{number}"
    write(folder / "name", f"{name}\n")
    write(folder / "index", f"{index}\n")
    (root / f"sys/class/video4linux/video{number}").symlink_to(folder)
    if node:
        write(root / f"dev/video{number}", "")


def loopback(root, *, exclusive, node=True):
    write(root / "sys/module/v4l2loopback/parameters/video_nr", "10,-1\n")
    write(root / "sys/module/v4l2loopback/parameters/exclusive_caps", f"{exclusive},N\n")
    device(root, 10, "streamtoon", "virtual", node=node)
    write(root / "sys/devices/virtual/video4linux/video10/max_openers", "10\n")


def tool(folder, text):
    folder.mkdir()
    write(folder / "nvidia-smi", f"#!/bin/sh\n{text}\n")
    (folder / "nvidia-smi").chmod(0o755)
    return str(folder)


@pytest.fixture(scope="module")
def here():
    """What doctor says of this machine, once the models are here."""
    for name in face_models.MODELS:
        face_models.path(name)
    return report.examine()


def named(findings, name):
    return [f for f in findings if f.name == name]


def test_everything_is_looked_at(here):
    names = {f.name for f in here}
    assert names >= {
        "Python", "OpenCV", "CPU", "memory", "GPU", "driver", "TensorRT", "engine auto", "face model", "find", "camera",
        "pyvirtualcam", "virtual camera", "encoders", "decoders", "display",
    }  # fmt: skip
    assert names >= {f"engine {n}" for n in (*engines.names(), "tensorrt", "onnxruntime")}
    assert names >= {f"style {n}" for n in style_folder.names()}
    assert len(named(here, "face model")) == len(face_models.MODELS)
    assert all(f.fix for f in here if f.state != "ok")
    assert not any(f.fix for f in here if f.state == "ok")


def test_what_the_other_tests_rely_on_is_ok_and_live_works(here):
    states = {f.name: f.state for f in here}
    for name in (
        "engine openvino",
        "engine echo",
        "engine auto",
        "face model",
        "find",
        "style ink",
        "encoders",
        "decoders",
    ):
        assert states[name] == "ok", name
    assert report.works(here)
    assert "finds the face of the embedded portrait" in named(here, "find")[0].what


def test_json_and_table(here):
    said = json.loads(json.dumps(report.as_json(here)))
    assert set(said) == {"works", "streamtoon", "findings"}
    assert all(set(f) == {"name", "state", "what", "fix", "needed"} for f in said["findings"])
    assert len(said["findings"]) == len(here)
    lines = report.as_table(here).splitlines()
    assert max(len(line) for line in lines if not line.startswith("         >")) <= report.TABLE_COLUMNS
    assert lines[-1].startswith("live works here")


def test_the_table_wraps_what_and_keeps_fixes_whole():
    findings = [
        Finding("camera", "missing", "w " * 100, "x" * 120),
        Finding("engine auto", "broken", "short", "first\nsecond", needed=True),
    ]
    table = report.as_table(findings)
    assert "x" * 120 in table
    assert "         > first\n         > second\n" in table
    assert all(len(line) <= report.TABLE_COLUMNS for line in table.splitlines() if "xxx" not in line)
    assert "\nBROKEN   engine auto  short\n" in table
    assert table.endswith("live cannot work here until this is put right: engine auto")


def test_a_broken_machine_without_models_is_told_quietly(tmp_path):
    (tmp_path / "empty").mkdir()
    code = (
        "import sys, json; sys.modules['av'] = None\n"
        "from streamtoon.doctor import hardware, report\n"
        "def display(): raise OSError('no\\nscreen')\n"
        "hardware.display = display\n"
        "print(json.dumps(report.as_json(report.examine())))"
    )
    environment = os.environ | {"STREAMTOON_MODELS": str(tmp_path / "empty"), "PATH": str(tmp_path / "empty")}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert run.stderr == ""
    said = json.loads(run.stdout)
    rows = {f["name"]: f for f in said["findings"]}
    assert said["works"] is False
    faces = [f for f in said["findings"] if f["name"] == "face model"]
    assert {f["state"] for f in faces} == {"missing"}
    assert {f["needed"] for f in faces if f["what"].startswith("face_detection")} == {True}
    assert all("unset STREAMTOON_MODELS && streamtoon models fetch" in f["fix"] for f in faces)
    assert rows["display"]["state"] == rows["codecs"]["state"] == "broken"
    assert rows["display"]["what"] == "it cannot be looked at: OSError: no screen"
    assert rows["engine openvino"]["state"] == rows["find"]["state"] == "ok"


def test_models_that_can_be_fetched_do_not_stop_live(tmp_path, monkeypatch):
    monkeypatch.delenv(face_models.FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr(face_models, "cache_folder", lambda: tmp_path / "cache")
    found = list(report._models())
    assert {(f.state, f.fix, f.needed) for f in found} == {("missing", "streamtoon models fetch", False)}
    assert report.works(found)
    monkeypatch.setattr(report.os, "access", lambda *_: False)  # nor can they be: the cache cannot be written
    assert not report.works(list(report._models()))


def test_a_model_with_a_wrong_hash_stops_live(tmp_path, monkeypatch):
    monkeypatch.delenv(face_models.FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr(face_models, "cache_folder", lambda: tmp_path / "a cache")
    name = "face_detection_short_range.tflite"
    write(tmp_path / "a cache" / name, "not a network")
    (broken,) = [f for f in report._models() if f.state == "broken"]
    assert broken.needed
    assert broken.fix == f"rm '{tmp_path}/a cache/{name}' && streamtoon models fetch"


@pytest.mark.parametrize(
    ("library", "said"),
    [
        (
            "raise ModuleNotFoundError('no', name='openvino')",
            ("missing", "openvino is not installed", 'pip install "openvino'),
        ),
        (
            "raise OSError('libfoo.so: cannot open')",
            ("broken", "OSError: libfoo.so: cannot open", "--debug"),
        ),
        (
            "import os; os.abort()",
            ("broken", "its process was ended by SIGABRT", "streamtoon demo --engine openvino"),
        ),
    ],
)
def test_an_engine_whose_library_is_broken(tmp_path, monkeypatch, library, said):
    state, what, fix = said
    write(tmp_path / "openvino.py", library)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(engines, "automatic", lambda: ("openvino",))
    found = list(report._engines({"openvino": probe.start("draw", "openvino")}))
    (engine,) = named(found, "engine openvino")
    assert (engine.state, engine.what) == (state, what)
    assert fix in engine.fix
    (auto,) = named(found, "engine auto")
    assert auto.needed
    assert auto.state == "missing"
    assert not report.works(found)


def test_an_engine_that_hangs_is_given_up(tmp_path, monkeypatch):
    write(tmp_path / "openvino.py", "print('noise')\nimport time\ntime.sleep(60)")
    monkeypatch.syspath_prepend(tmp_path)
    assert probe.end(probe.start("draw", "openvino"), 0.5) == (False, "it gave no answer within 0.5 seconds")


def test_a_library_that_talks_does_not_disturb_its_answer(tmp_path, monkeypatch):
    write(tmp_path / "openvino.py", "print('noise')\nimport sys\nsys.exit('the last line')")
    monkeypatch.syspath_prepend(tmp_path)
    assert probe.end(probe.start("draw", "openvino"), 60) == (False, "the last line")
    assert probe.end(probe.start("draw", "echo"), 60) == (True, "draws, device: none")


def test_a_style_whose_hash_is_wrong(tmp_path, monkeypatch):
    write(tmp_path / "ink/style.toml", 'name = "ink"\nonnx = "ink.onnx"\nsha256 = "0"')
    write(tmp_path / "ink/ink.onnx", "not it")
    monkeypatch.setattr(style_folder, "FOLDER", tmp_path)
    (ink,) = report._styles()
    assert (ink.name, ink.state, ink.needed) == ("style ink", "broken", True)
    assert "has sha256" in ink.what
    (tmp_path / "ink/style.toml").unlink()
    (ink,) = report._styles()
    assert (ink.name, ink.state, ink.needed) == ("style ink", "missing", True)


def test_no_gpu(root, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    gpu, driver = hardware.gpu(root)
    assert (gpu.what, gpu.state, driver.state) == ("no NVIDIA GPU", "missing", "missing")
    assert "the CPU draws" in gpu.fix


def test_a_gpu_without_its_driver(root, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    for address, vendor, kind in (
        ("01", "0x10de", "0x030000"),
        ("01.1", "0x10de", "0x040300"),
        ("02", "0x8086", "0x030000"),
    ):
        write(root / f"sys/bus/pci/devices/0000:{address}/vendor", f"{vendor}\n")
        write(root / f"sys/bus/pci/devices/0000:{address}/class", f"{kind}\n")
    gpu, driver = hardware.gpu(root)
    assert (gpu.state, gpu.what) == ("ok", "NVIDIA, PCI 0000:01")
    assert (driver.state, driver.what) == ("missing", "no NVIDIA driver is loaded")
    assert driver.fix.startswith("sudo ubuntu-drivers install")
    kernel = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.15  Thu Jan 23\nGCC version: gcc 12.3.0"
    write(root / "proc/driver/nvidia/version", kernel)
    _, driver = hardware.gpu(root)
    assert (driver.state, driver.what) == ("broken", "NVIDIA 570.86.15 is loaded, nvidia-smi is not there")


def test_gpus_that_run(root, tmp_path, monkeypatch):
    two = "NVIDIA RTX 4090, 570.86.15, 24564 MiB\\nNVIDIA H200, 570.86.15, 143771 MiB"
    monkeypatch.setenv("PATH", tool(tmp_path / "bin", f"printf '{two}\\n'"))
    found = list(hardware.gpu(root))
    assert [f.what for f in found] == ["NVIDIA RTX 4090, 24564 MiB", "NVIDIA H200, 143771 MiB", "NVIDIA 570.86.15"]
    assert {f.state for f in found} == {"ok"}


def test_a_driver_that_does_not_answer(root, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", tool(tmp_path / "bin", "echo 'Driver/library version mismatch'; exit 18"))
    (gpu,) = hardware.gpu(root)
    assert (gpu.state, gpu.what) == ("broken", "Driver/library version mismatch")
    assert gpu.fix.startswith("sudo reboot")


def test_cpu_and_memory(root):
    write(root / "proc/cpuinfo", "model name\t: Old One\nflags\t\t: fpu sse4_2 avx\n")
    (cpu,) = hardware.cpu(root)
    assert cpu.state == "missing"
    assert cpu.what.startswith("Old One, ")
    write(root / "proc/cpuinfo", "model name\t: New One\nflags\t\t: fpu avx2 avx512f avx512_bf16 avx512_vnni\n")
    (cpu,) = hardware.cpu(root)
    assert (cpu.state, cpu.what.endswith("AVX2 AVX-512 bf16 VNNI")) == ("ok", True)
    (memory,) = hardware.memory(root)
    assert memory.state == "ok"  # nothing is known
    write(root / "proc/meminfo", "MemTotal: 4000000 kB\nMemFree: 1 kB\nMemAvailable: 500000 kB\n")
    (memory,) = hardware.memory(root)
    assert (memory.state, memory.what) == ("missing", "0.5 of 4.1 GB free; live wants 1 GB")


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


def test_two_opencvs(monkeypatch):
    installed = {"opencv-python": "4.11", "opencv-contrib-python": "5.0"}
    monkeypatch.setattr(report, "_version", lambda name: installed.get(name, ""))
    (opencv,) = report._opencv()
    assert opencv.state == "broken"
    assert opencv.fix.startswith("pip uninstall -y opencv-python\n")
    del installed["opencv-python"]
    assert [f.state for f in report._opencv()] == ["ok"]
    installed.clear()
    assert [f.fix for f in report._opencv()] == ["pip install opencv-contrib-python"]


def test_a_pyav_without_an_encoder(monkeypatch):
    monkeypatch.setattr(report, "NEEDED_ENCODERS", ("libx264", "libnothing"))
    encoders, decoders = report._codecs()
    assert (encoders.state, decoders.state) == ("missing", "ok")
    assert encoders.what.endswith("is built without libnothing")


def test_no_screen(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    (none,) = hardware.display()
    assert (none.state, "--no-preview" in none.fix) == ("missing", True)
    monkeypatch.setenv("DISPLAY", ":7")
    (screen,) = hardware.display()
    assert (screen.state, screen.what) == ("ok", "DISPLAY=:7")
