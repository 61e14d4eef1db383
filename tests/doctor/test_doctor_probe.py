"""Engines whose libraries are not there, crash, hang or talk."""

import pytest
from machines import write

import engines
from streamtoon.doctor import probe, report


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
    engine, auto = found
    assert engine.name == "engine openvino"
    assert (engine.state, engine.what) == (state, what)
    assert fix in engine.fix
    assert auto.name == "engine auto"
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
    (tmp_path / "openvino.py").unlink()  # echo reads with it what it is to echo
    assert probe.end(probe.start("draw", "echo"), 60) == (True, "draws, device: none")
