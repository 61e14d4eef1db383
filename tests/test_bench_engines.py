"""bench engines, measured briefly on this machine."""

import json
from dataclasses import asdict

from streamtoon import bench_engines
from trt_build.resnet9 import resnet9


def test_engines_here_are_measured_and_the_others_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(bench_engines, "SECONDS", 0.01)
    monkeypatch.setattr(bench_engines, "FEWEST", 2)
    file = tmp_path / "small.onnx"
    file.write_bytes(resnet9(64, width=8, blocks=1))
    told = []
    result = bench_engines.bench_engines(str(file), [], 1, told.append)
    assert told[-1] == "small, openvino, its own"
    rows = {(r.engine, r.batch): r for r in result.rows}
    assert {b for e, b in rows if e == "openvino"} == {1, 2, 4, 8}
    assert all(0 < r.ms <= r.ms_p95 and r.crops_per_second > 0 for r in result.rows)
    if not result.gpu:
        assert "tensorrt" in result.not_here
        assert all(r.floor_ratio is None for r in result.rows)
    assert json.loads(json.dumps(asdict(result)))["rows"]
    assert len(result.as_table().splitlines()) >= 2 + len(result.rows)
