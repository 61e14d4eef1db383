"""TensorRT on a real GPU, against the CPU."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import shipped

import engines
import engines.runtimes.tensorrt
from engines import EngineError, nvidia


def _gpu():
    try:
        return nvidia.ready()[1].name  # asks for the GPU first: without one TensorRT stays out of this process
    except EngineError as error:
        return error


NETWORKS = [(name, kind) for name in ("engraving", "wash") for kind in ("fp32", "fp16", "int8")]


@pytest.mark.gpu
@pytest.mark.skipif(isinstance(_gpu(), EngineError), reason=str(_gpu()))
@pytest.mark.parametrize(("name", "precision"), [*NETWORKS, ("resnet9", "fp32"), ("resnet9", "fp16")])
def test_on_a_gpu_the_parity_gate_passes(name, precision, tmp_path):
    import trt_build
    from trt_build import precision as of
    from trt_build.resnet9 import resnet9

    if name == "resnet9":
        name = tmp_path / "resnet9.onnx"
        name.write_bytes(resnet9())
    source = shipped.source(name)
    reference = engines.load("openvino:f32", source.onnx)
    engine = engines.runtimes.tensorrt.load(
        source.onnx,
        precision,
        plan=lambda *_: trt_build.plan(source, precision, folder=tmp_path, photo=shipped.PHOTO).path,
        callers=2,
    )
    pictures = shipped.crops(source.size)[:: 8 if precision != "int8" else 1]
    batches = [pictures[i : i + 8] for i in range(0, len(pictures), 8)]
    drawn = [np.concatenate([e(batch) for batch in batches]) for e in (engine, reference)]
    assert of.psnr(*drawn) >= of.NEED[precision]
    for count in range(1, 9):  # each lane: set up, then again; as a graph where the data-centre TensorRT runs it
        several = [engine(pictures[:count]) for _ in range(4)]
        assert all(of.psnr(one, drawn[0][:count]) >= of.NEED[precision] for one in several)
    with ThreadPoolExecutor(4) as pool:  # more callers than lanes, each with crops of its own
        for i, one in enumerate(pool.map(lambda i: engine(pictures[i : i + 1]), [i % 8 for i in range(32)])):
            assert of.psnr(one, drawn[0][i % 8 : i % 8 + 1]) >= of.NEED[precision]
    engine.close()
    reference.close()
