"""What there is of NVIDIA's: the GPU and its driver, and which TensorRT is installed. ``trt_build`` asks here as well.

One code path serves ``tensorrt`` 10.12 and newer and ``tensorrt_rtx`` 1.x: their API is the same but for what
engines/rtx.py holds.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import importlib.util
import re
import sys
import threading
from dataclasses import dataclass
from typing import Any, Final

from engines import EngineError
from foundation.child import Child, Tell
from foundation.errors import ChildError

OLDEST: Final = (10, 12)  # of tensorrt: what came before is not strongly typed throughout
RTX_LIBRARIES: Final = "onnxruntime_ep_nv_tensorrt_rtx"  # carries libtensorrt_rtx and its ONNX parser
INSTALL: Final = 'pip install -c constraints.txt ".[tensorrt]"'
IDENTIFY_TIMEOUT_S: Final = 60.0  # to load TensorRT, from a slow disk
HARMLESS: Final = "cudaError 35"  # what a builder says on a machine without a driver, and builds all the same
NO_DRIVER: Final = "no NVIDIA driver found"
FULL: Final = "out of GPU memory; close what else uses the GPU, or draw with --engine openvino"
FULL_WORDS: Final = re.compile(r"out ?of ?memory|could not be allocated", re.IGNORECASE)  # TensorRT's, for the same


@dataclass(frozen=True, slots=True)
class Gpu:
    """The GPU that draws: the first one CUDA lists.

    capability  compute capability, "8.9"
    cuda        newest CUDA its driver runs, "13.0"
    memory      bytes
    """

    name: str
    capability: str
    cuda: str
    memory: int


@dataclass(frozen=True, slots=True)
class Library:
    """A TensorRT: ``trt`` is its Python module, ``name`` "tensorrt" or "tensorrt_rtx"."""

    trt: Any
    name: str
    version: str

    @property
    def rtx(self) -> bool:
        """Whether it is TensorRT for RTX, which compiles for its GPU when a plan is loaded."""
        return self.name == "tensorrt_rtx"


def ready() -> tuple[Library, Gpu]:
    """The TensorRT that draws here, and the GPU it draws on. Raises EngineError with what is missing, and what next.

    The GPU is asked for first: TensorRT takes 130 MB, also where there is nothing to run it.
    """
    if not installed() and not driver():
        raise EngineError(f"{NO_DRIVER}; see https://www.nvidia.com/drivers")
    found = gpu()
    return library(), found


def gpu() -> Gpu:
    """The GPU. Raises EngineError where there is none, no driver, or one too old for the installed CUDA."""
    cuda = runtime()
    _, newest = cuda.cudaDriverGetVersion()
    if newest == 0:
        raise EngineError(f"{NO_DRIVER}; see https://www.nvidia.com/drivers")
    error, count = cuda.cudaGetDeviceCount()
    if error == cuda.cudaError_t.cudaErrorInsufficientDriver:
        wanted = _dotted(cuda.cudaRuntimeGetVersion()[1])
        raise EngineError(
            f"the NVIDIA driver is too old: it runs CUDA {_dotted(newest)}, not {wanted}; update the driver"
        )
    if error == cuda.cudaError_t.cudaErrorNoDevice or (error == cuda.cudaError_t.cudaSuccess and not count):
        raise EngineError("the NVIDIA driver is there and sees no GPU; see `nvidia-smi`")
    check(error)
    (found,) = check(*cuda.cudaGetDeviceProperties(0))
    name = found.name.decode() if isinstance(found.name, bytes) else str(found.name)
    return Gpu(name.strip("\0 "), f"{found.major}.{found.minor}", _dotted(newest), int(found.totalGlobalMem))


def _dotted(version: int) -> str:
    return f"{version // 1000}.{version % 1000 // 10}"


def runtime() -> Any:
    """cuda-python's binding of the CUDA runtime, ``cuda-bindings``. Raises EngineError where it is not installed."""
    try:
        from cuda.bindings import runtime as cuda
    except ImportError as error:
        raise EngineError(f"cuda-bindings is not installed; {INSTALL}") from error
    return cuda


def check(error: Any, *values: Any) -> tuple[Any, ...]:
    """The values of a CUDA call; EngineError with CUDA's own reason where it failed."""
    cuda = runtime()
    if error == cuda.cudaError_t.cudaSuccess:
        return values
    if error == cuda.cudaError_t.cudaErrorMemoryAllocation:
        raise EngineError(FULL)
    raise EngineError(f"CUDA: {cuda.cudaGetErrorString(error)[1].decode()} ({error.name})")


def installed() -> bool:
    """Whether some TensorRT and cuda-bindings are there; nothing is loaded for it."""
    return _there("cuda.bindings") and (_there("tensorrt") or _there("tensorrt_rtx") or _there("tensorrt_rtx_bindings"))


def driver() -> bool:
    """Whether an NVIDIA driver's own library is there: who has none needs no TensorRT either."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def _there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of the package it would be in
        return False


@functools.cache
def library() -> Library:
    """The TensorRT that is installed: ``tensorrt``, ``tensorrt_rtx``, or its bindings with ONNX Runtime's libraries.

    Raises EngineError with every reason.
    """
    reasons = []
    for module, name in (
        ("tensorrt", "tensorrt"),
        ("tensorrt_rtx", "tensorrt_rtx"),
        ("tensorrt_rtx_bindings", "tensorrt_rtx"),
    ):
        try:
            if module.endswith("bindings"):
                importlib.import_module(RTX_LIBRARIES)  # loads the libraries that the bindings look for
            trt = importlib.import_module(module)
        except (ImportError, OSError) as error:
            missing = isinstance(error, ModuleNotFoundError)
            reasons.append("" if missing else f"{module}: {' '.join(str(error).split())}")
            continue
        version = str(trt.__version__)
        if name == "tensorrt" and tuple(map(int, version.split(".")[:2])) < OLDEST:
            reasons.append(f"tensorrt {version} is too old, 10.12 or newer is needed")
            continue
        return Library(trt, name, version)
    found = " / ".join(reason for reason in reasons if reason)
    raise EngineError(f"{found or 'TensorRT is not installed'}; {INSTALL}")


@functools.cache
def identity() -> tuple[str, str]:
    """Name and version of the TensorRT that is installed, as ``library`` has them. Raises EngineError as it does.

    Where there is no driver nothing will run here: another process is asked, and this one keeps TensorRT's 130 MB away.
    """
    if driver():
        found = library()
        return found.name, found.version
    try:
        with Child("engines.nvidia:identify", {}) as child:
            name, version = child.result(timeout_s=IDENTIFY_TIMEOUT_S)
    except ChildError as error:
        raise EngineError(f"TensorRT does not load: {error}") from error
    return name, version


def identify(_tell: Tell) -> tuple[str, str]:
    """What ``identity`` asks another process."""
    found = library()
    return found.name, found.version


@functools.cache
def logger(trt: Any) -> Any:
    """The logger, which keeps TensorRT's errors instead of printing them; ``reason()`` gives them and forgets them.

    One for the process: TensorRT itself keeps to the first that it is given, and may use it after its owner is gone.
    """

    class Log(trt.ILogger):  # type: ignore[misc]  # the base is known at run time only
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self._errors: list[str] = []
            self._lock = threading.Lock()  # the builder's own threads log as well

        def log(self, severity: Any, text: str) -> None:
            if severity in (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR) and HARMLESS not in text:
                with self._lock:
                    self._errors.append(text)

        def reason(self) -> str:
            with self._lock:
                kept, self._errors = self._errors, []
            text = " / ".join(dict.fromkeys(kept))
            return FULL if FULL_WORDS.search(text) else plain(text) or "TensorRT does not say why"

    return Log()


def plain(text: str) -> str:
    """One line of TensorRT's words, without the places in its source code."""
    text = re.sub(r"\s*\(?(?:In \w+ )?at /\S+:\d+\)?", "", " ".join(text.split()))
    return text if len(text) <= 400 else f"{text[:400]}..."
