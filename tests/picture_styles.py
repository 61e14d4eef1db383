"""Style folders of picture networks with weights from a seed: what draws whole pictures where no trained style is."""

import functools
import hashlib

import pytest


@functools.cache
def network(scale=2):
    """Its ONNX file; the test is skipped where the package that writes it is not installed."""
    pytest.importorskip("onnx")
    from trt_build.picture_net import picture_network

    return picture_network(scale=scale)


def write(folder, scale=2, *, says=None, **changes):
    """Write style.toml and the network of that scale into ``folder``, which is given back; ``changes`` of the card.

    says: the scale of the card, where it is not the network's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data = network(scale)
    (folder / "fake.onnx").write_bytes(data)
    card = {
        "name": "fake", "onnx": "fake.onnx", "sha256": hashlib.sha256(data).hexdigest(), "output": "yuv",
        "scale": says or scale, "region": "frame", "matte": "model", **changes,
    }  # fmt: skip
    lines = [f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}" for key, value in card.items()]
    (folder / "style.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
