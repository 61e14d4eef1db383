"""ONNX file -> plan, in a process of its own (builder.py): a builder that crashes or hangs takes nothing else with it.

What goes wrong there, in whatever way, is one EngineError with its last words. Cancelling and Ctrl-C end the process.
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from engines import EngineError, nvidia
from foundation import files
from foundation.child import Child
from foundation.errors import ChildError
from trt_build.source import Shape

Profile = tuple[int, int, int]  # fewest, usual and most pictures of a batch
PROFILE: Final[Profile] = (1, 4, 8)
PICTURES_PROFILE: Final[Profile] = (1, 1, 8)  # of whole pictures
BUILD: Final = "trt_build.builder:build"
SILENCE_TIMEOUT_S: Final = 600.0  # longest that the builder may be at one step; the slowest known takes a tenth of it
CANCELLED: Final = "compiling was cancelled"


def compile(  # noqa: A001 - what it does, under its own name: trt_build.compile
    onnx: bytes,
    profile: Profile = PROFILE,
    shape: Shape | None = None,
    *,
    timing: Path | None = None,
    progress: Callable[[str, float], None] = lambda _name, _share: None,
    cancel: threading.Event | None = None,
) -> bytes:
    """Compile an ONNX file, of the precision it is written in. Needs no GPU with TensorRT for RTX.

    shape: of the pictures; None where the network is for one alone. timing: file of the timing cache (data-centre
    TensorRT), read and written. progress: is told a phase and its share 0..1, in the calling thread; what it raises
    ends the build. cancel: set from another thread, ends it at once.
    Raises EngineError with TensorRT's reason, or with the last words of a builder that did not come to its end.
    """
    with tempfile.TemporaryDirectory(prefix="streamtoon-build-", ignore_cleanup_errors=True) as folder:
        network, plan, measured = (Path(folder, name) for name in ("network.onnx", "made.plan", "measured.timing"))
        try:
            network.write_bytes(onnx)
        except OSError as error:
            raise EngineError(f"{folder} cannot be written: {error.strerror or error}; make room there") from error
        order = {
            "network": str(network), "plan": str(plan), "profile": list(profile), "shape": list(shape or ()),
            "timing": str(timing or ""), "measured": str(measured),
        }  # fmt: skip
        try:
            with Child(BUILD, order) as builder:
                for name, share in builder.messages(timeout_s=SILENCE_TIMEOUT_S, cancel=cancel):
                    progress(name, share)
        except (ChildError, MemoryError) as error:
            if cancel is not None and cancel.is_set():
                raise EngineError(CANCELLED) from error
            raise EngineError(f"TensorRT could not compile the network: {_last_words(error)}") from error
        if timing is not None and measured.is_file():
            with contextlib.suppress(OSError):  # it only saves time
                files.write(timing, measured.read_bytes())
        return plan.read_bytes()


def _last_words(error: Exception) -> str:
    """What became of the builder, and what next."""
    if isinstance(error, MemoryError):
        return "it takes more memory than there is; close what else runs, or choose another engine"
    words = nvidia.plain(str(error))
    if "SIGKILL" in words:
        return f"{words}, as where memory runs out; close what else runs, or choose another engine"
    return f"{words}; choose another engine"
