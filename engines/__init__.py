"""Engines draw crops. They know nothing of faces, frames or styles.

The contract: ``engine(crops) -> drawn``, uint8 (N, h, w, 3) RGB in, uint8 (N, h, w, 4) RGBA out, N from 1 to
MAX_BATCH; alpha is the matte, 255 where the drawing stands for the person. An engine raises EngineError, is safe to
call from one thread at a time, and is closed once by whoever loaded it.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

U8 = npt.NDArray[np.uint8]

MAX_BATCH: Final = 8
NAMES: Final = ("openvino", "echo")
AUTO: Final = ("openvino",)


class EngineError(Exception):
    """An engine cannot load or cannot draw; the message says which, why and what next."""


class Engine(Protocol):
    """What every engine module's ``load`` returns."""

    name: str
    device: str

    def __call__(self, crops: U8) -> U8:
        """uint8 (N, h, w, 3) RGB -> uint8 (N, h, w, 4) RGBA, N from 1 to MAX_BATCH."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


def load(name: str, onnx_path: Path, *, threads: int = 2) -> Engine:
    """Load ``onnx_path`` into the engine ``name``; ``"auto"`` takes the first of AUTO that runs here.

    threads: how many CPU threads drawing may use. Raises EngineError with every reason; a named engine never falls
    back to another.
    """
    if name != "auto" and name not in NAMES:
        raise EngineError(f"no engine is called {name!r}; choose one of auto, {', '.join(NAMES)}")
    reasons = []
    for candidate in AUTO if name == "auto" else (name,):
        try:
            module = importlib.import_module(f"engines.{candidate}")
            engine: Engine = module.load(onnx_path, threads=threads)
        except ImportError as error:
            reasons.append(f"{candidate}: {error.name or error} is not installed")
        except EngineError as error:
            reasons.append(f"{candidate}: {error}")
        else:
            return engine
    raise EngineError(f"no engine can run {onnx_path.name} here / {' / '.join(reasons)}")


def check_crops(crops: U8, size: int | None) -> None:
    """Raise EngineError unless ``crops`` keep the contract; ``size`` is the side the network wants, if it has one."""
    shape = crops.shape
    good = crops.dtype == np.uint8 and len(shape) == 4 and shape[3] == 3 and 1 <= shape[0] <= MAX_BATCH
    if not good or (size is not None and shape[1:3] != (size, size)):
        wanted = f"(1..{MAX_BATCH}, {size or 'h'}, {size or 'w'}, 3)"
        raise EngineError(f"crops are {crops.dtype} {shape}; they must be uint8 {wanted}")
