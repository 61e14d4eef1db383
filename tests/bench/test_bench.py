import json
from fractions import Fraction

import numpy as np
import pytest

from streamtoon import sinks
from streamtoon import style_folder as style_folder_reader
from streamtoon.bench import flicker
from streamtoon.cli.main import main
from streamtoon.errors import UsageError
from streamtoon.film.encoder import Encoding
from streamtoon.pipeline.timings import VERBS
from streamtoon.pipeline.toon import Toon
from streamtoon.privacy.guard import Guard
from streamtoon.types import Frame
from tests import picture_styles
from tests.whole_pictures import Copy


def test_bench_has_the_promised_keys(moved_film, capsys):
    assert main(["bench", "-i", str(moved_film), "--style", "engraving", "--json"]) == 0
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
    assert main(["bench", "live", "-i", str(moved_film), "--style", "engraving", "--seconds", "2", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert {"new_fps", "dropped", "latency_ms", "cores", "ms", "peak_mb"} <= set(result)
    assert {"p50", "p95", "p99"} <= set(result["latency_ms"])
    assert set(result["ms"]) == set(VERBS)
    assert result["new_fps"] > 0
    assert 0 < result["latency_ms"]["p50"] <= result["latency_ms"]["p99"]


@pytest.mark.parametrize("what", ["convert", "live"])
def test_bench_of_a_picture_style_has_the_same_keys(what, moved_film, tmp_path, capsys):
    style = picture_styles.write(tmp_path / "fake", lines=240)
    line = ["bench", what, "-i", str(moved_film), "--style", str(style), "--json"]
    assert main([*line, "--seconds", "1"] if what == "live" else line) == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result["ms"]) >= {"read", "find", "crop", "draw", "blend", "write"}
    assert all(v > 0 for v in result["ms"].values())
    if what == "convert":
        assert result["ratio_to_transcode"] > 0
    else:
        assert {"p50", "p95", "p99"} <= set(result["latency_ms"])


@pytest.fixture
def brief(monkeypatch):
    """The portrait's own clip is 12 frames long, which makes one pair that counts."""
    monkeypatch.setattr(flicker, "EXACT_CLIP", "portrait:12@1280x720")


@pytest.mark.usefixtures("brief")
def test_bench_flicker_has_the_promised_keys(moved_film, capsys):
    assert main(["bench", "flicker", "-i", str(moved_film), "--style", "engraving", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result) == {"exact_flow", "clips", "median", "maximum"}
    assert set(result["exact_flow"]) == {"net", "pipeline"}
    clip = result["clips"]["portrait.mp4"]
    assert set(clip) == {"net", "pipeline", "frame", "still"}
    assert result["median"] == result["maximum"] == {k: v for k, v in clip.items() if v is not None}
    assert all(v > 0 for v in [*result["exact_flow"].values(), clip["net"], clip["pipeline"], clip["frame"]])


@pytest.fixture
def wall(tmp_path):
    """A film of a wall: ``wall(change)``, 14 frames whose right half is ``change(index)`` levels lighter."""

    def make(change, name="wall.mp4"):
        lumas = []
        for index in range(14):
            lumas.append(np.full((180, 320), 100, np.uint8))
            lumas[-1][:, 160:] += np.uint8(change(index))
        return str(write(tmp_path / name, lumas))

    return make


def write(film, lumas):
    chroma = (np.full((90, 160), 128, np.uint8),) * 2
    lossless = Encoding(encoder="libx264", crf=0, preset="ultrafast")
    with sinks.open(str(film), sinks.Options(rate=Fraction(30), encoding=lossless)) as send:
        for i, luma in enumerate(lumas):
            send(Guard(private=False)(Frame((luma, *chroma), "yuv420p", i, Fraction(i, 30)), None, 0))
    return film


@pytest.mark.usefixtures("brief")
def test_bench_flicker_wants_a_face_for_a_head_style(wall, capsys):
    assert main(["bench", "flicker", "-i", wall(lambda _: 0), "--style", "engraving"]) == 2
    assert "flicker is measured on a face" in capsys.readouterr().err


class Contrast(Copy):
    """Draws twice the contrast, and 3 levels lighter every other time: the flicker of a known size."""

    def paint(self, drawn):
        drawn = np.clip((drawn.astype(int) - 100) * 2 + 100, 0, 255)
        return np.uint8(drawn + 3 * (len(self.shapes) // 2 % 2))  # net and pipeline draw each frame once


@pytest.fixture
def picture_toon(style_folder, brief):
    """Makes toons of a picture style drawn by an engine."""
    style = style_folder_reader.load(str(style_folder(output="yuv", scale=2, lines=360, region="frame")))
    return lambda engine: Toon(style, engine())


def test_flicker_of_a_picture_style_is_that_of_its_drawing(wall, picture_toon):
    result = flicker.flicker([wall(lambda index: 40 * (index % 2))], lambda: picture_toon(Copy))
    assert result.exact_flow["pipeline"] == result.exact_flow["net"] < 2
    clip = result.clips["wall.mp4"]
    assert clip["net"] is clip["pipeline"] is None  # nobody's face
    assert clip["frame"] == clip["net_frame"] == pytest.approx(1, abs=0.1)
    assert clip["still"] is None or clip["still"] < 1.2
    assert result.maximum["frame"] == clip["frame"]
    assert "maximum" in result.as_table()


def test_twice_the_contrast_is_twice_the_change_and_restless_where_the_film_is_still(wall, picture_toon):
    films = [wall(lambda index: 40 * (index % 2), "moves.mp4"), wall(lambda index: index % 2, "still.mp4")]
    moves, still = flicker.flicker(films, lambda: picture_toon(Contrast)).clips.values()
    assert moves["frame"] > 1.8
    assert still["still"] == still["frame"] > 4
    with pytest.raises(UsageError, match="no drawing may leave, or nothing moves"):
        flicker.flicker([wall(lambda _: 0)], lambda: picture_toon(Copy))
