"""A style whose card and network do not fit is one line, whichever engine draws it."""

import hashlib

import numpy as np
import picture_styles
import pytest

from engines import EngineError
from streamtoon import style_folder as styles
from streamtoon.workflows import engine_choice

ENGINES = ("openvino", "auto", "onnxruntime:cpu", "echo")


def refused(style, name, line):
    for load in (engine_choice.load, engine_choice.live):
        with pytest.raises(EngineError, match=line) as caught:
            load(name, style, threads=1).close()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ENGINES)
def test_a_picture_style_whose_network_draws_another_size(tmp_path, name):
    style = styles.load(str(picture_styles.write(tmp_path / "half", 1, says=2)))
    refused(
        style,
        name,
        r'fake.onnx draws whole pictures as large as they are; its style.toml says output = "yuv", scale = 2',
    )


@pytest.mark.parametrize("name", ENGINES)
def test_a_head_style_whose_network_draws_whole_pictures(tmp_path, name):
    style = styles.load(str(picture_styles.write(tmp_path / "rgba", 2, output="rgba", says=1)))
    refused(style, name, r'twice as large; its style.toml says output = "rgba", size = 256; export the style again')


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"size": 128}, 'output = "rgba", size = 128'), ({"output": "yuv"}, 'output = "yuv", scale = 1')],
)
def test_a_network_for_crops_of_another_size_or_in_a_picture_style(tmp_path, changes, says):
    engraving = styles.load("engraving")
    data = engraving.onnx.read_bytes()
    (tmp_path / "ink.onnx").write_bytes(data)
    card = {"name": "ink", "onnx": "ink.onnx", "sha256": hashlib.sha256(data).hexdigest(), **changes}
    lines = [f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}" for key, value in card.items()]
    (tmp_path / "style.toml").write_text("\n".join(lines), "utf-8")
    for name in ENGINES:
        refused(styles.load(str(tmp_path)), name, f"ink.onnx draws crops of 256 px; its style.toml says {says}")


def test_a_picture_style_is_drawn_at_every_shape_live_as_well(picture_style):
    engine = engine_choice.live("auto", picture_style, threads=1)
    for h, w in ((64, 96), (96, 64)):
        assert engine(np.zeros((1, h, w, 3), np.uint8)).shape == (1, 3 * h, 2 * w)
    engine.close()


def test_every_engine_tells_whether_it_runs_a_picture_style(picture_style):
    there = {one.engine: one for one in engine_choice.there(picture_style, 1)}
    assert there["openvino"].device
    assert not there["openvino"].why
    assert all(one.device or one.why for one in there.values())
