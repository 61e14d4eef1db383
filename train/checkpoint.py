"""Files that are whole or not there: everything is written beside its place and then moved into it."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import Any


class BadInput(Exception):  # noqa: N818 - it says what it is
    """What was asked cannot be done with what was given: one line, exit code 2."""


def write_bytes(file: Path, data: bytes) -> None:
    """Write atomically: a reader sees the old file or the new one, never half of one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        Path(part).chmod(0o644)
        Path(part).replace(file)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise


def write_text(file: Path, text: str) -> None:
    """Write atomically, UTF-8."""
    write_bytes(file, text.encode())


def save(file: Path, state: dict[str, Any]) -> None:
    """Save a training state: net, ema, optimiser, args, step, seconds, history."""
    import torch

    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_bytes(file, buffer.getvalue())


def load(file: Path) -> dict[str, Any]:
    """The state ``save`` wrote. Raises BadInput naming the file where it is missing or damaged."""
    import pickle

    import torch

    if not file.is_file():
        raise BadInput(f"checkpoint {file} is not there; run `python -m train paired` first")
    try:
        state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    except (RuntimeError, ValueError, EOFError, pickle.UnpicklingError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInput(f"checkpoint {file} cannot be read: {reason}") from None
    if not isinstance(state, dict) or "ema" not in state:
        raise BadInput(f"checkpoint {file} holds no training state")
    return state
