"""What TensorRT for RTX has and the data-centre TensorRT has not: its own CUDA graphs, and a cache of its kernels."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def contexts(trt: Any, plan: Any, kept: Path) -> tuple[Any, Any]:
    """The configuration for execution contexts of ``plan``, and its kernel cache, filled from the file ``kept``.

    trt: the module ``tensorrt_rtx``; plan: its ICudaEngine. A kernel cache of another GPU or version is not taken.
    Kernels for a batch size are compiled beside drawing, which begins with general ones: no first call waits for it.
    """
    config = plan.create_runtime_config()
    config.cuda_graph_strategy = trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
    config.dynamic_shapes_kernel_specialization_strategy = trt.DynamicShapesKernelSpecializationStrategy.LAZY
    kernels = config.create_runtime_cache()
    if kept.is_file():
        kernels.deserialize(kept.read_bytes())
    config.set_runtime_cache(kernels)
    return config, kernels


def targets(trt: Any, config: Any, *, here: bool) -> None:
    """Build for this machine's GPU where it has one (``here``), else for every GPU TensorRT for RTX knows."""
    if here:
        config.num_compute_capabilities = 1
        config.set_compute_capability(trt.ComputeCapability.CURRENT, 0)
