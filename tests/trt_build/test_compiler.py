"""Compiling in a process of its own: a builder that crashes, hangs or eats the memory is one EngineError."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import trt_build
from engines import EngineError, nvidia
from streamtoon import style_folder
from streamtoon.workflows import engine_choice
from trt_build import cache, compiler
from trt_build.resnet9 import resnet9

BROKEN = [
    ("crashes", "its process was ended by SIGSEGV: corrupted double-linked list; choose another engine"),
    ("is_killed", "its process was ended by SIGKILL, as where memory runs out; close what else runs, or choose"),
    ("hangs", r"it gave no answer within 0\.3 seconds; choose another engine"),
    ("eats_the_memory", "it takes more memory than there is; close what else runs, or choose another engine"),
    ("has_a_fault", "ValueError: no such layer; choose another engine"),
]


@pytest.fixture
def source(tmp_path):
    """A small network, and the name of a TensorRT, whether one is installed or not."""
    file = tmp_path / "small.onnx"
    file.write_bytes(resnet9(64, width=8, blocks=1))
    return trt_build.read(file)


@pytest.fixture
def named(monkeypatch):
    monkeypatch.setattr(nvidia, "identity", lambda: ("tensorrt_rtx", "1.7"))


def broken(monkeypatch, name):
    monkeypatch.setattr(compiler, "BUILD", f"broken_builders:{name}")
    monkeypatch.setattr(compiler, "SILENCE_TIMEOUT_S", 0.3 if name == "hangs" else 60)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize(("name", "why"), BROKEN)
def test_a_builder_that_does_not_come_to_its_end(source, tmp_path, monkeypatch, name, why):
    broken(monkeypatch, name)
    place = tmp_path / "plans"
    with pytest.raises(EngineError, match=f"^TensorRT could not compile the network: {why}") as caught:
        trt_build.plan(source, "fp32", folder=place)
    assert "\n" not in str(caught.value)
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(("name", "why"), BROKEN[:2])
def test_live_goes_on_drawing_on_the_cpu(monkeypatch, tmp_path, caplog, name, why):
    """A card on which the builder crashes: "auto" says so once, and every picture is drawn."""
    broken(monkeypatch, name)
    card = nvidia.Gpu("Fake GPU", "8.9", "13.0", 1)
    monkeypatch.setattr(nvidia, "ready", lambda: (nvidia.Library(None, "tensorrt_rtx", "1.7"), card))
    monkeypatch.setattr(nvidia, "identity", lambda: ("tensorrt_rtx", "1.7"))
    monkeypatch.setattr(cache, "default", lambda: tmp_path / "plans")
    caplog.set_level(logging.INFO)
    engine = engine_choice.live("auto", style_folder.load("engraving"), threads=1)
    crops = np.random.default_rng(0).integers(0, 256, (1, 256, 256, 3), np.uint8)
    first = engine(crops)
    end = time.monotonic() + 60
    while not any("stays" in text for text in caplog.messages) and time.monotonic() < end:
        assert np.array_equal(engine(crops), first)
    assert np.array_equal(engine(crops), first)
    assert engine.name == "openvino"
    assert caplog.messages[-1].startswith(
        "openvino stays: no engine can run engraving.onnx here / tensorrt: TensorRT could not compile"
    )
    assert why in caplog.messages[-1]
    engine.close()


@pytest.mark.usefixtures("named")
def test_cancelling_ends_the_process_at_once(source, tmp_path, monkeypatch):
    broken(monkeypatch, "hangs")
    monkeypatch.setattr(compiler, "SILENCE_TIMEOUT_S", 60)
    cancel, pids = threading.Event(), []

    def progress(pid, _share):
        pids.append(int(pid))
        threading.Timer(0.2, cancel.set).start()

    with pytest.raises(EngineError, match=r"^compiling was cancelled$"):
        trt_build.plan(source, "fp32", folder=tmp_path / "plans", cancel=cancel, progress=progress)
    assert not alive(*pids)
    assert list((tmp_path / "plans").iterdir()) == []


@pytest.mark.usefixtures("named")
def test_the_users_ctrl_c_ends_the_process(source, tmp_path, monkeypatch):
    broken(monkeypatch, "hangs")
    monkeypatch.setattr(compiler, "SILENCE_TIMEOUT_S", 60)
    pids = []

    def progress(pid, _share):
        pids.append(int(pid))
        threading.Timer(0.2, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)).start()

    with pytest.raises(KeyboardInterrupt):
        trt_build.plan(source, "fp32", folder=tmp_path / "plans", progress=progress)
    assert not alive(*pids)
    assert list((tmp_path / "plans").iterdir()) == []


def test_ctrl_c_in_the_terminal_is_told_once(source, tmp_path):
    """The terminal sends it to the builder as well, which must not answer it."""
    code = "from trt_build import compiler; compiler.BUILD = 'broken_builders:hangs'\n"
    code += "from engines import nvidia; nvidia.identity = lambda: ('tensorrt_rtx', '1.7')\n"
    code += "import trt_build, sys; from trt_build.__main__ import main\n"
    code += f"sys.exit(main([{str(source.onnx)!r}, '--precision', 'fp32', '--cache', {str(tmp_path / 'plans')!r}]))"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    children = f"/proc/{process.pid}/task/{process.pid}/children"
    if not os.path.exists(children):  # noqa: PTH110 - a file of the kernel's
        process.kill()
        pytest.skip("this system does not list child processes")
    end = time.monotonic() + 60
    while not (pids := open(children).read().split()) and time.monotonic() < end:  # noqa: PTH123, SIM115
        time.sleep(0.05)
    time.sleep(1)
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert said == "stopped; nothing half-written was left\n"
    assert not alive(int(pids[0]))
    assert list((tmp_path / "plans").iterdir()) == []


@pytest.mark.usefixtures("named")
def test_the_data_centre_tensorrt_compiles_only_where_it_runs(source, tmp_path, monkeypatch):
    broken(monkeypatch, "data_centre_without_a_gpu")
    told = []
    with pytest.raises(EngineError, match=r"^tensorrt compiles only where it runs: cuda-bindings is not installed$"):
        trt_build.plan(source, "fp32", folder=tmp_path, progress=lambda text, _share: told.append(text))
    reasons = ("no NVIDIA driver found", "the NVIDIA driver is too old", "cuda-bindings is not installed")
    assert told == [f"tensorrt compiles only where it runs: {reason}" for reason in reasons]


@pytest.mark.skipif(nvidia.driver(), reason="this machine runs plans, with TensorRT in the process")
def test_compiling_loads_no_tensorrt_here(source, tmp_path):
    code = (
        "import sys, trt_build; from pathlib import Path\n"
        f"made = trt_build.plan(trt_build.read(Path({str(source.onnx)!r})), 'fp32', folder=Path({str(tmp_path)!r}))\n"
        "maps = Path('/proc/self/maps').read_text() if sys.platform == 'linux' else ''\n"
        "libraries = [name for name in ('libnvinfer', 'libtensorrt') if name in maps]\n"
        "print(made.built, [m for m in sys.modules if m.startswith('tensorrt')], libraries)\n"
    )
    try:
        nvidia.identity()
    except EngineError as error:
        pytest.skip(str(error))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True [] []\n"
