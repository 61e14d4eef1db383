"""onnxruntime, torch and "auto": real runtimes on the CPU, every reason told."""

import logging

import numpy as np
import pytest
import shipped

import engines
import trt_build
from engines import EngineError, nvidia
from engines.compare import psnr
from engines.runtimes import onnxruntime
from streamtoon import style_folder
from trt_build import precision
from trt_build.resnet9 import resnet9


@pytest.fixture(params=style_folder.names())
def style(request):
    return style_folder.load(request.param)


@pytest.fixture(scope="module")
def pictures():
    return shipped.crops(256)[:4]


@pytest.fixture
def no_driver(monkeypatch):
    def none():
        raise EngineError("no NVIDIA driver found")

    monkeypatch.setattr(nvidia, "gpu", none)


@pytest.mark.parametrize("name", ["onnxruntime:cpu", "onnxruntime:unoptimised", "torch:cpu", "openvino:f32"])
def test_engines_agree_in_fp32(style, pictures, name):
    pytest.importorskip(name.partition(":")[0])
    reference, engine = engines.load("openvino:f32", style.onnx), engines.load(name, style.onnx, threads=1)
    assert psnr(engine(pictures), reference(pictures)) >= 55
    together = engine(pictures)
    alone = np.concatenate([engine(pictures[i : i + 1]) for i in range(len(pictures))])
    assert psnr(together, alone) > 80
    engine.close()
    reference.close()


@pytest.mark.parametrize("name", ["onnxruntime:unoptimised", "openvino:f32"])
def test_the_gates_references_are_within_a_level_of_torch(style, pictures, name):
    """They share no code: what one of them made of the network by mistake would show."""
    pytest.importorskip("torch")
    drawn = [engines.load(one, style.onnx, threads=1)(pictures[:2]).astype(int) for one in (name, "torch:cpu")]
    assert np.abs(drawn[0] - drawn[1]).max() <= 1


def test_torch_draws_the_half_file_in_half_precision(style, pictures):
    """The arithmetic of the fp16 file itself: ONNX Runtime and OpenVINO compute it in fp32 on a CPU, torch does not."""
    pytest.importorskip("torch")
    half = style.folder / f"{style.name}.fp16.onnx"
    reference, engine = engines.load("torch:cpu", style.onnx), engines.load("torch:cpu", half)
    assert psnr(engine(pictures[:2]), reference(pictures[:2])) >= precision.NEED["fp16"]


def test_torch_asks_a_gpu_for_nothing_while_it_draws(tmp_path, monkeypatch):
    """While a CUDA graph is captured nothing may be fetched from the GPU; torch's "meta" device cannot be asked."""
    torch = pytest.importorskip("torch")
    from engines.torch_graph import Torch

    style = style_folder.load("engraving")
    (tmp_path / "small.onnx").write_bytes(resnet9(64, width=8, blocks=1))
    monkeypatch.setitem(precision.NEED, "int8", 20.0)  # it has norms: near enough is not what is asked here
    int8 = precision.graph(trt_build.read(tmp_path / "small.onnx"), "int8", shipped.crops(64)[:4])
    (tmp_path / "int8.onnx").write_bytes(int8)
    for file in (style.onnx, style.folder / f"{style.name}.fp16.onnx", tmp_path / "small.onnx", tmp_path / "int8.onnx"):
        engine = Torch(file, "meta", 1)
        drawn = engine._run(torch.empty(2, size := engine._network.size, size, 3, dtype=torch.uint8, device="meta"))
        assert drawn.shape == (2, size, size, 4)
        assert drawn.device.type == "meta"


def test_torch_asks_a_gpu_for_nothing_while_it_draws_whole_pictures():
    torch = pytest.importorskip("torch")
    from engines.torch_graph import Torch

    drawn = Torch(style_folder.load("comic").onnx, "meta", 1)._run(
        torch.empty(1, 64, 96, 3, dtype=torch.uint8, device="meta")
    )
    assert drawn.shape == (1, 192, 192)
    assert drawn.device.type == "meta"


def test_torch_knows_what_cyclegan_is_made_of(tmp_path, pictures):
    pytest.importorskip("torch")
    file = tmp_path / "small.onnx"
    file.write_bytes(resnet9(64, width=8, blocks=2))
    crop = np.ascontiguousarray(pictures[:1, 64:128, 96:160])
    drawn = [engines.load(name, file)(crop) for name in ("torch:cpu", "onnxruntime:cpu", "openvino:f32")]
    assert psnr(drawn[0], drawn[1]) >= 55
    assert psnr(drawn[0], drawn[2]) >= 55
    assert drawn[0][..., :3].std() > 5


def test_crops_that_break_the_contract_are_refused():
    style = style_folder.load("engraving")
    for name in ("onnxruntime:cpu", "torch:cpu"):
        engine = engines.load(name, style.onnx)
        with pytest.raises(EngineError, match=r"they must be uint8 \(1\.\.8, 256, 256, 3\)"):
            engine(np.zeros((1, 128, 128, 3), np.uint8))
        engine.close()


@pytest.mark.parametrize("name", ["onnxruntime", "torch"])
def test_what_is_no_network_is_one_clear_line(tmp_path, capfd, name):
    file = tmp_path / "bad.onnx"
    file.write_bytes(b"not a network")
    with pytest.raises(EngineError, match=rf"no engine can run bad.onnx here / {name}: .*bad.onnx") as caught:
        engines.load(name, file)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_an_operator_that_torch_lacks_here_is_named(tmp_path):
    onnx = pytest.importorskip("onnx")
    helper, kinds = onnx.helper, onnx.TensorProto
    ends = [helper.make_tensor_value_info(n, kinds.UINT8, ["n", 64, 64, c]) for n, c in (("a", 3), ("b", 4))]
    graph = helper.make_graph([helper.make_node("Erf", ["a"], ["b"])], "g", ends[:1], ends[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "erf.onnx")
    with pytest.raises(EngineError, match="operators it lacks: Erf"):
        engines.load("torch", tmp_path / "erf.onnx")


@pytest.mark.usefixtures("no_driver")
def test_auto_says_what_it_took_and_why_not_the_others(style, caplog):
    caplog.set_level(logging.INFO)
    engine = engines.load("auto", style.onnx, threads=1)
    assert engine.name == "openvino"
    (said,) = caplog.messages
    assert said.startswith(f"openvino draws, on {engine.device} / not tensorrt: no NVIDIA driver found")
    assert "not onnxruntime:gpu: " in said
    engine.close()


@pytest.mark.usefixtures("no_driver")
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("onnxruntime:cuda", "this ONNX Runtime has no cuda; it has .*cpu"),
        ("onnxruntime:gpu", "tensorrt-rtx: no NVIDIA driver found|no GPU provider here, only"),
        ("onnxruntime:rocm", "no execution provider is called 'rocm'; choose one of gpu, tensorrt-rtx, cuda"),
        ("torch:mps", "torch runs on cpu or cuda, not on 'mps'"),
        ("openvino:f64", "computes in f32, bf16 or f16, not in 'f64'"),
    ],
)
def test_a_choice_that_cannot_be_had(style, name, reason):
    with pytest.raises(EngineError, match=reason):
        engines.load(name, style.onnx)


def test_onnx_runtime_takes_the_best_it_has(style):
    engine = engines.load("onnxruntime", style.onnx, threads=1)
    assert any(engine.device.startswith(p) for p in onnxruntime.available())
    engine.close()


def test_a_provider_that_falls_back_to_the_cpu_is_refused(style, monkeypatch):
    """ONNX Runtime starts on the CPU, with a warning, where the provider it was asked for cannot start."""
    monkeypatch.setattr(onnxruntime, "available", lambda: ["cuda", "cpu"])
    with pytest.raises(EngineError, match=r"fell back to the CPU|cuda does not take"):
        engines.load("onnxruntime:gpu", style.onnx)
