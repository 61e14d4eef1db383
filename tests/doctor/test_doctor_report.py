"""doctor on this machine, and what it tells of models, styles, OpenCV and codecs that are broken or not there."""

import json
import os
import subprocess
import sys

import pytest
from machines import write

import engines
from streamtoon import style_folder
from streamtoon.doctor import report
from streamtoon.doctor.hardware import Finding
from streamtoon.pipeline import face_models


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
        "style comic",
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


def test_a_style_whose_hash_is_wrong(tmp_path, monkeypatch):
    write(tmp_path / "comic/style.toml", 'name = "comic"\nonnx = "comic.onnx"\nsha256 = "0"')
    write(tmp_path / "comic/comic.onnx", "not it")
    monkeypatch.setattr(style_folder, "FOLDER", tmp_path)
    (comic,) = report._styles()
    assert (comic.name, comic.state, comic.needed) == ("style comic", "broken", True)
    assert "has sha256" in comic.what
    (tmp_path / "comic/style.toml").unlink()
    (comic,) = report._styles()
    assert (comic.name, comic.state, comic.needed) == ("style comic", "missing", True)


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
