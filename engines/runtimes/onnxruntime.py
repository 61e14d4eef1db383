"""ONNX Runtime: whatever execution provider this machine has. Bound buffers, no spinning."""

from __future__ import annotations

import importlib
import importlib.util
import re
from pathlib import Path
from typing import Any, Final

import numpy as np

from engines import U8, Engine, EngineError, libraries, nvidia
from engines.about import About, Variant
from engines.network import declared

ABOUT = About(
    rank=20,
    automatic="onnxruntime:gpu",
    install={
        "onnxruntime": "pip install onnxruntime  # or the package with this machine's GPU, such as onnxruntime-gpu",
        "onnxruntime:gpu": "pip install onnxruntime-gpu  # or onnxruntime-directml on Windows",
    },
    variants=(
        Variant("onnxruntime:gpu"),
        Variant("onnxruntime:cpu"),
        Variant("onnxruntime:cpu", "fp16", timed=False),  # in fp32 arithmetic: it proves the graph, no speed
        Variant("onnxruntime:cpu", "int8", timed=False),
    ),
)

RTX: Final = "onnxruntime_ep_nv_tensorrt_rtx"  # the package that brings TensorRT for RTX as a plug-in
PROVIDERS: Final = {  # option -> ONNX Runtime's name, best first
    "tensorrt-rtx": "NvTensorRTRTXExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
UNOPTIMISED: Final = "unoptimised"  # the CPU, every node computed as the file has it: a reference, and slower
GPU: Final = ("tensorrt-rtx", "cuda", "directml", "coreml")


class OnnxRuntime:
    """One session on one provider; a graph part that provider lacks runs on the CPU, as ONNX Runtime does."""

    name = "onnxruntime"

    def __init__(self, onnx_path: Path, provider: str, threads: int) -> None:
        ort = libraries.onnxruntime()
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4
        # threads that wait by spinning take the cores from those that decode and encode
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if provider == UNOPTIMISED:
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        name = PROVIDERS.get(provider, PROVIDERS["cpu"])
        try:
            if provider == "tensorrt-rtx":
                options.add_provider_for_devices(_plugin(ort, name), {})
                self._session = ort.InferenceSession(str(onnx_path), options)
            else:
                self._session = ort.InferenceSession(str(onnx_path), options, providers=[name])
        except EngineError as error:
            raise EngineError(f"{provider}: {error}") from error
        except Exception as error:
            text = " ".join(str(error).split()) or type(error).__name__
            raise EngineError(f"{provider} does not take {Path(onnx_path).name}: {text}") from error
        if name not in self._session.get_providers():
            raise EngineError(f"{provider}: ONNX Runtime could not start it and fell back to the CPU")
        fed, made = self._session.get_inputs(), self._session.get_outputs()
        if len(fed) != 1 or len(made) != 1:
            raise EngineError(f"the network has {len(fed)} inputs and {len(made)} outputs, not one each")
        kinds = [re.sub(r"tensor\((\w+)\)", r"\1", end.type) for end in (*fed, *made)]
        sides = ([side if isinstance(side, int) else 0 for side in end.shape] for end in (*fed, *made))
        self._network = declared(kinds, *sides)
        self._names = fed[0].name, made[0].name
        self.device = f"{provider}, {ort.__version__}" + (f", {threads} threads" if name == PROVIDERS["cpu"] else "")

    def __call__(self, pictures: U8) -> U8:
        """uint8 (N, h, w, 3) RGB -> uint8, drawn as the network does."""
        self._network.check(pictures)
        binding = self._session.io_binding()
        try:
            binding.bind_cpu_input(self._names[0], np.ascontiguousarray(pictures))
            binding.bind_output(self._names[1])  # its shape is the network's to say
            self._session.run_with_iobinding(binding)
            binding.synchronize_outputs()
            drawn: U8 = binding.get_outputs()[0].numpy()
        except Exception as error:
            raise EngineError(f"onnxruntime could not draw: {' '.join(str(error).split())}") from error
        self._network.check_drawn(pictures, drawn)
        return drawn

    def close(self) -> None:
        """Free the session."""
        del self._session


def _plugin(ort: Any, name: str) -> list[Any]:
    """The devices of the TensorRT for RTX plug-in; registered once for the process."""
    nvidia.gpu()
    if name not in {d.ep_name for d in ort.get_ep_devices()}:
        package = importlib.import_module(RTX)
        ort.register_execution_provider_library(name, package.get_library_path())
    devices = [d for d in ort.get_ep_devices() if d.ep_name == name]
    if not devices:
        raise EngineError("it sees no GPU that it can use")
    return devices[:1]


def available() -> list[str]:
    """The options that this installation has, best first; whether their devices are there shows when one is loaded."""
    ort = libraries.onnxruntime()
    built_in = set(ort.get_available_providers())
    plugin = importlib.util.find_spec(RTX) is not None
    return [p for p, name in PROVIDERS.items() if name in built_in or (p == "tensorrt-rtx" and plugin)]


def load(onnx_path: Path, provider: str | None = None, *, threads: int = 2) -> Engine:
    """The first provider that runs ``onnx_path``: one of PROVIDERS, UNOPTIMISED, "gpu" for any of GPU, None for any."""
    if provider not in (None, "gpu", UNOPTIMISED, *PROVIDERS):
        raise EngineError(f"no execution provider is called {provider!r}; choose one of gpu, {', '.join(PROVIDERS)}")
    if not Path(onnx_path).is_file():
        raise EngineError(f"{onnx_path} is not there")
    there = available()
    wanted = [p for p in there if p in GPU] if provider == "gpu" else there if provider is None else [provider]
    reasons = []
    for one in wanted:
        if one not in (UNOPTIMISED, *there):
            reasons.append(f"this ONNX Runtime has no {one}; it has {', '.join(there)}")
            continue
        try:
            return OnnxRuntime(Path(onnx_path), one, threads)
        except EngineError as error:
            reasons.append(str(error))
    raise EngineError("; ".join(reasons) or f"it has no GPU provider here, only {', '.join(there)}")
