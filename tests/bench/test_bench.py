import json

import pytest

from streamtoon.bench import flicker
from streamtoon.cli.main import main
from streamtoon.pipeline.timings import VERBS


def test_bench_has_the_promised_keys(moved_film, capsys):
    assert main(["bench", "-i", str(moved_film), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert {"engine", "device", "fps", "ms", "peak_mb", "ratio_to_transcode", "frames"} <= set(result)
    assert set(result["ms"]) == {"read", "find", "crop", "draw", "matte", "blend", "write"}
    assert all(v > 0 for v in result["ms"].values())
    assert result["frames"] == 24
    assert result["ratio_to_transcode"] > 0


def test_bench_prints_a_table(moved_film, capsys):
    assert main(["bench", "-i", str(moved_film), "--engine", "echo"]) == 0
    out = capsys.readouterr().out
    assert "times that floor" in out
    assert "draw" in out


def test_bench_live_has_the_promised_keys(moved_film, capsys):
    assert main(["bench", "live", "-i", str(moved_film), "--seconds", "2", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert {"new_fps", "dropped", "latency_ms", "cores", "ms", "peak_mb"} <= set(result)
    assert {"p50", "p95", "p99"} <= set(result["latency_ms"])
    assert set(result["ms"]) == set(VERBS)
    assert result["new_fps"] > 0
    assert 0 < result["latency_ms"]["p50"] <= result["latency_ms"]["p99"]


@pytest.fixture
def brief(monkeypatch):
    monkeypatch.setattr(flicker, "EXACT_CLIP", "portrait:24@1280x720")


@pytest.mark.usefixtures("brief")
def test_bench_flicker_has_the_promised_keys(moved_film, capsys):
    assert main(["bench", "flicker", "-i", str(moved_film), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result) == {"exact_flow", "clips"}
    assert set(result["exact_flow"]) == set(result["clips"]["portrait.mp4"]) == {"net", "pipeline"}
    assert all(v > 0 for v in [*result["exact_flow"].values(), *result["clips"]["portrait.mp4"].values()])


@pytest.mark.usefixtures("brief")
def test_bench_flicker_wants_a_face(tmp_path, capsys):
    from fractions import Fraction

    import numpy as np

    from streamtoon import sinks
    from streamtoon.privacy.guard import Guard
    from streamtoon.types import Frame

    wall = tmp_path / "wall.mp4"
    planes = tuple(np.full(shape, 120, np.uint8) for shape in ((180, 320), (90, 160), (90, 160)))
    with sinks.open(str(wall), sinks.Options(rate=Fraction(30))) as send:
        for i in range(14):
            send(Guard(private=False)(Frame(planes, "yuv420p", i, Fraction(i, 30)), None, 0))
    assert main(["bench", "flicker", "-i", str(wall)]) == 2
    assert "flicker is measured on a face" in capsys.readouterr().err
