"""What is compiled: ONNX files, and styles as the application hands them over."""

import shutil

import pytest
import shipped

import trt_build
from engines import EngineError
from streamtoon import style_folder as styles


def test_bad_sources_are_one_clear_line(tmp_path):
    for content in (b"not a network", b""):
        (tmp_path / "bad.onnx").write_bytes(content)
        with pytest.raises(EngineError, match=rf"bad.onnx is not an ONNX file \(found {len(content)} bytes\)"):
            trt_build.read(tmp_path / "bad.onnx")
    with pytest.raises(EngineError, match=r"gone.onnx is not there; give an ONNX file"):
        trt_build.read(tmp_path / "gone.onnx")
    with pytest.raises(EngineError, match=r"no style 'inkk': .* not one of .*engraving"):
        shipped.source("inkk")
    (tmp_path / "style.toml").write_text('name = "x"\nonnx = "bad.onnx"\nsha256 = "0"', "utf-8")
    with pytest.raises(EngineError, match=r"its card says 0.*; export the style again"):
        shipped.source(tmp_path)
    with pytest.raises(EngineError, match="no precision is called 'fp8'; choose one of fp32, fp16, int8"):
        trt_build.plan(shipped.source("engraving"), "fp8", folder=tmp_path)
    with pytest.raises(EngineError, match="INT8 needs crops to calibrate on"):
        trt_build.plan(shipped.source("engraving"), "int8", folder=tmp_path)


def test_a_half_file_that_is_another_is_refused(tmp_path):
    """Only who compiles it asks: the other engines draw such a style."""
    shutil.copytree(styles.FOLDER / "engraving", tmp_path / "engraving")
    (half,) = (tmp_path / "engraving").glob("*.fp16.onnx")
    half.write_bytes(half.read_bytes()[:-1])
    styles.load(str(tmp_path / "engraving"))
    with pytest.raises(
        EngineError, match=r"engraving.fp16.onnx is not the file its style.toml names \(another sha256\); export"
    ):
        shipped.source(tmp_path / "engraving")


def test_plans_are_named_by_their_style(style_folder):
    with pytest.raises(EngineError, match=r"name is 'a/b'; plans are named by it: letters, digits, - and _ alone"):
        shipped.source(style_folder(name="a/b"))


def test_a_picture_network_has_no_side_of_its_own(picture_style, tmp_path):
    for source in (shipped.source(picture_style.folder), trt_build.read(picture_style.onnx)):
        assert (source.size, source.shape) == (0, (360, 640))
