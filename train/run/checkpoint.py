"""Checkpoints and weights on disk, each file whole or not there (``foundation.files``)."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from foundation import files
from foundation.errors import UsageError


def save(file: Path, state: dict[str, Any]) -> None:
    """Save a training state: nets, averages, optimisers, args, step, seconds, history."""
    import torch

    buffer = io.BytesIO()
    torch.save(state, buffer)
    files.write(file, buffer.getvalue())


def save_weights(file: Path, nets: dict[str, dict[str, Any]], args: dict[str, Any], step: int) -> None:
    """Write the weights of some nets, with what they were trained by, as safetensors."""
    from safetensors.torch import save as to_bytes

    flat = {f"{net}.{name}": v.contiguous().cpu() for net, weights in nets.items() for name, v in weights.items()}
    files.write(file, to_bytes(flat, {"args": json.dumps(args), "step": str(step)}))


def _load_weights(file: Path) -> dict[str, Any]:
    """What ``save_weights`` wrote, in the shape of a training state."""
    from safetensors import safe_open

    with safe_open(str(file), "pt") as stored:
        told = stored.metadata() or {}
        state: dict[str, Any] = {"args": json.loads(told["args"]), "step": int(told["step"])}
        for key in stored.keys():  # noqa: SIM118 - no mapping
            net, name = key.split(".", 1)
            state.setdefault(net, {})[name] = stored.get_tensor(key)
    return state


def load(file: Path) -> dict[str, Any]:
    """What ``save`` or ``save_weights`` wrote. Raises UsageError naming the file where it is missing or damaged."""
    import pickle

    import torch
    from safetensors import SafetensorError

    if not file.is_file():
        raise UsageError(f"checkpoint {file} is not there; run `python -m train paired` first")
    try:
        if file.suffix == ".safetensors":
            return _load_weights(file)
        state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    except (RuntimeError, ValueError, EOFError, pickle.UnpicklingError, KeyError, SafetensorError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(f"checkpoint {file} cannot be read: {reason}") from None
    if not isinstance(state, dict) or "ema" not in state:
        raise UsageError(f"checkpoint {file} holds no training state")
    return state
