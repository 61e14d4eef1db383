"""One file adds an engine: a package of somebody else's, used from the command line as the engines of ours."""

import json
import os
import subprocess
import sys

import pytest

import engines
from engines import EngineError
from engines.about import About

MODULE = '''
"""An engine that draws the negative."""

import numpy as np

from engines import EngineError, check_pictures
from engines.about import About, Variant

ABOUT = About(install={"negative": "pip install negative"}, variants=(Variant("negative"),))


class Negative:
    name, device = "negative", "a darkroom"

    def __call__(self, crops):
        check_pictures(crops, None)
        return np.concatenate([255 - crops, np.full((*crops.shape[:3], 1), 255, np.uint8)], axis=3)

    def close(self):
        pass


def load(onnx_path, option=None, *, threads=1):
    if option not in (None, "soft"):
        raise EngineError(f"negative is soft or is not, it is not {option!r}")
    return Negative()
'''


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The environment of a command line beside which the package is installed."""
    site = tmp_path_factory.mktemp("site")
    (site / "darkroom.py").write_text(MODULE, "utf-8")
    card = site / "darkroom-1.0.dist-info"
    card.mkdir()
    (card / "METADATA").write_text("Metadata-Version: 2.1\nName: darkroom\nVersion: 1.0\n", "utf-8")
    (card / "entry_points.txt").write_text("[streamtoon.engines]\nnegative = darkroom\n", "utf-8")
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(site), *sys.path])}


def run(environment, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "streamtoon", *map(str, arguments)],
        capture_output=True, text=True, check=False, env=environment, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_draws_a_film(installed, moved_film, tmp_path):
    said = run(
        installed,
        "convert",
        "-i",
        moved_film,
        "-o",
        tmp_path / "out.mp4",
        "--engine",
        "negative:soft",
        "--style",
        "engraving",
    )
    assert "24 frames, 24 faces" in said
    assert said.strip().endswith("negative on a darkroom")
    assert (tmp_path / "out.mp4").stat().st_size > 1000


def test_the_lists_show_it(installed, tmp_path):
    listed = json.loads(run(installed, "engine", "list", "--cache", tmp_path, "--json"))["engines"]
    assert [e["engine"] for e in listed] == [*engines.names(), "negative"]
    assert listed[-1] == {"engine": "negative", "device": "a darkroom", "why": ""}
    assert "torch, negative" in " ".join(run(installed, "convert", "--help").split())


def test_doctor_tries_it(installed):
    done = subprocess.run(
        [sys.executable, "-m", "streamtoon", "doctor", "--json"],
        capture_output=True, text=True, check=False, env=installed, timeout=300,
    )  # fmt: skip
    found = {f["name"]: f for f in json.loads(done.stdout)["findings"]}
    assert (found["engine negative"]["state"], found["engine negative"]["what"]) == ("ok", "draws, device: a darkroom")


def test_the_parity_gate_and_bench_try_it(installed):
    code = (
        "import json, shipped\n"
        "from streamtoon.bench import engines as bench\n"
        "from trt_build import check\n"
        "tried = check._all(shipped.source('engraving'), None, None, None, 1)\n"
        "runs = bench._runs(shipped.source('engraving'), 1, gpu=False)\n"
        "print(json.dumps([[t[:2] for t in tried][-1], [(r.engine, r.precision) for (r,) in runs][-1]]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=installed)
    assert json.loads(done.stdout) == [["negative", "fp32"], ["negative", "fp32"]]


def test_our_own_tell_what_the_rest_asks():
    assert engines.names() == ("tensorrt", "onnxruntime", "openvino", "torch", "echo")
    assert engines.automatic() == ("tensorrt", "onnxruntime:gpu", "openvino")
    assert [name for name in engines.names() if engines.about(name).needs_plan] == ["tensorrt"]
    for name in engines.names():
        about = engines.about(name)
        assert about.install or name == "echo"
        assert all(v.name.partition(":")[0] == name for v in about.variants)
    with pytest.raises(EngineError, match="no engine is called 'rocm'"):
        engines.about("rocm")


def test_an_engine_that_cannot_be_imported_tells_nothing_and_why_when_it_is_loaded(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "engines.runtimes.echo", None)
    assert engines.about("echo") == About()
    with pytest.raises(EngineError, match=r"echo: engines.runtimes.echo is not installed"):
        engines.load("echo", tmp_path / "x.onnx")
    assert "echo" in engines.names()
