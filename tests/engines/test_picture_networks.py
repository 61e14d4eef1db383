"""Networks that draw whole pictures, at any height and width, in every engine of this machine."""

import cv2
import numpy as np
import picture_styles
import pytest

import engines
from engines import EngineError
from engines.compare import psnr
from engines.runtimes import openvino
from trt_build.graph import Graph

ON_CPU = ("openvino:f32", "onnxruntime:cpu", "onnxruntime:unoptimised", "torch:cpu")


@pytest.fixture(scope="module")
def pictures(portrait):
    """Two of 160x96."""
    return np.stack([cv2.resize(p, (160, 96), interpolation=cv2.INTER_AREA) for p in (portrait, portrait[:, ::-1])])


@pytest.mark.parametrize("scale", [1, 2])
def test_engines_agree_at_every_shape(tmp_path, pictures, scale):
    pytest.importorskip("torch")
    file = picture_styles.write(tmp_path, scale) / "fake.onnx"
    loaded = [engines.load(name, file, threads=1) for name in ("echo", *ON_CPU)]
    for some in (pictures, pictures[:1, :64, :72], pictures[:, 8:72, :64]):
        count, h, w, _ = some.shape
        echo, reference, *others = (engine(some) for engine in loaded)
        assert reference.shape == echo.shape == (count, 3 * scale * h // 2, scale * w)
        assert reference.dtype == np.uint8
        assert 15 < psnr(reference, echo) < 35  # the picture, and something drawn on it
        assert all(psnr(other, reference) >= 55 for other in others)
    for engine in loaded:
        engine.close()


def test_echo_gives_the_picture_as_planes(picture_style, pictures):
    drawn = engines.load("echo", picture_style.onnx)(pictures)
    for picture, planes in zip(pictures, drawn, strict=True):
        # full range, as the planes are; OpenCV's own I420 is of limited range
        y, u, v = planes[:192], planes[192:240].reshape(96, 160), planes[240:].reshape(96, 160)
        colours = [y, *(cv2.resize(plane, (320, 192)) for plane in (v, u))]
        back = cv2.cvtColor(cv2.merge(colours), cv2.COLOR_YCrCb2RGB)
        assert psnr(cv2.resize(back, (160, 96), interpolation=cv2.INTER_AREA), picture) > 30


def test_openvino_keeps_the_last_shapes(picture_style, pictures, monkeypatch):
    engine = openvino.load(picture_style.onnx, threads=1)
    compiled, real = [], engine._core.compile_model

    class Core:
        def compile_model(self, model, *rest):
            compiled.append(model.input(0).shape[1])
            return real(model, *rest)

    monkeypatch.setattr(engine, "_core", Core())
    for rows in (64, 72, 64, 80, 64, 88, 64, 72):
        engine(pictures[:1, :rows])
    assert compiled == [64, 72, 80, 88, 72]
    engine.close()


@pytest.mark.parametrize("name", ["openvino", "onnxruntime:cpu", "torch:cpu", "echo"])
def test_pictures_that_break_the_contract_are_refused(picture_style, pictures, name):
    engine = engines.load(name, picture_style.onnx, threads=1)
    for wrong in (pictures[:0], pictures[..., :2], pictures.astype(np.float32)):
        with pytest.raises(EngineError, match=r"they must be uint8 \(1\.\.8, h, w, 3\)"):
            engine(wrong)
    for wrong in (pictures[:, :60], pictures[:, :, :100], pictures[:, :0]):
        with pytest.raises(EngineError, match="their height and width must be multiples of 8"):
            engine(wrong)
    engine.close()


def flat(tmp_path):
    """A network with the ends of one that draws whole pictures, which gives back the red of its input."""
    graph = Graph(0)
    red = graph.add("Gather", ["crops", graph.keep(np.int64(0))], axis=3)
    graph.add("Identity", [red], name="drawn")
    file = tmp_path / "flat.onnx"
    file.write_bytes(graph.file(0))
    return file


def test_a_network_that_draws_no_planes_is_one_line(tmp_path, pictures):
    pytest.importorskip("onnx")
    with pytest.raises(EngineError, match=r"makes \[1, 64, 64\] of a picture of 64 px, not I420 planes"):
        engines.load("openvino", flat(tmp_path))
    with pytest.raises(EngineError, match=r"drew uint8 \(2, 96, 160\) of \(2, 96, 160, 3\), not uint8 \(2, 144, 160\)"):
        engines.load("onnxruntime:cpu", flat(tmp_path))(pictures)
