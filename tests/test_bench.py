import json

from streamtoon.cli import main


def test_bench_has_the_promised_keys(moved_film, capsys):
    assert main(["bench", "-i", str(moved_film), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert {"engine", "device", "fps", "ms", "peak_mb", "ratio_to_transcode", "frames"} <= set(result)
    assert set(result["ms"]) == {"read", "find", "crop", "draw", "blend", "write"}
    assert all(v > 0 for v in result["ms"].values())
    assert result["frames"] == 24
    assert result["ratio_to_transcode"] > 0


def test_bench_prints_a_table(moved_film, capsys):
    assert main(["bench", "-i", str(moved_film), "--engine", "echo"]) == 0
    out = capsys.readouterr().out
    assert "times that floor" in out
    assert "draw" in out
