"""torch: the same graph by an implementation that shares nothing with the other engines (engines/torch_graph.py)."""

from __future__ import annotations

from pathlib import Path

from engines import Engine, EngineError
from engines.about import About, Variant

ABOUT = About(
    rank=40,
    install={"torch": 'pip install "streamtoon[train]"'},
    variants=(Variant("torch", timed=False),),  # it is there to compare with
)


def load(onnx_path: Path, device: str | None = None, *, threads: int = 2) -> Engine:
    """Run ``onnx_path`` with torch. device: "cpu", "cuda", or None for the GPU where there is one."""
    import torch

    from engines.torch_graph import Torch

    if device not in (None, "cpu", "cuda"):
        raise EngineError(f"torch runs on cpu or cuda, not on {device!r}")
    if device == "cuda" and not torch.cuda.is_available():
        raise EngineError("torch sees no CUDA GPU")
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    return Torch(Path(onnx_path), device, threads)
