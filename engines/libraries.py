"""OpenVINO and ONNX Runtime, imported so that they report to nobody.

Left alone both tell their makers that and how they are used, and keep an identifier in the user's home. Each has a way
to stop that which counts only while it is loaded: so nothing else here imports them (tests/test_imports.py), and what
is changed for that moment is as before when it is over. A library that the program around has loaded is left as it is.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
from collections.abc import Iterator
from typing import Any, Final

from foundation.environment import environment

OPENVINO_REPORTS: Final = "openvino_telemetry"  # its package for that; OpenVINO does without where it is not installed
ONNXRUNTIME_SILENT: Final = {"ORT_DISABLE_TELEMETRY": "1"}  # read once, by the library as it is loaded; from 1.29 on

_lock = threading.Lock()


def openvino() -> Any:
    """The package ``openvino``."""
    with _lock, _not_installed(OPENVINO_REPORTS):
        import openvino
    return openvino


def onnxruntime(part: str = "") -> Any:
    """The package ``onnxruntime``, or a module within it. Raises ImportError where it is not installed."""
    loaded = "onnxruntime" in sys.modules
    with _lock, contextlib.nullcontext() if loaded else environment(ONNXRUNTIME_SILENT):
        return importlib.import_module(f"onnxruntime.{part}" if part else "onnxruntime")


@contextlib.contextmanager
def _not_installed(name: str) -> Iterator[None]:
    """Within: importing the package ``name`` fails as if it were not installed."""
    before = {module: sys.modules.pop(module) for module in list(sys.modules) if module.split(".")[0] == name}
    sys.modules[name] = None  # type: ignore[assignment]  # documented: importing it raises ModuleNotFoundError
    try:
        yield
    finally:
        del sys.modules[name]
        sys.modules.update(before)
