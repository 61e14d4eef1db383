"""The arrows of ARCHITECTURE.md, and what the base install may not need. Breaks when an import runs against them."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = ("streamtoon", "engines", "trt_build", "train", "foundation")
FROM_STREAMTOON = {"types", "pipeline", "style_folder"}  # what train may take: the cropper, a style's card
ALLOWED = {
    "foundation": {"foundation"},
    "streamtoon": {"streamtoon", "engines", "trt_build", "foundation"},
    "engines": {"engines", "foundation"},
    "trt_build": {"trt_build", "engines", "foundation"},
    "train": {"train", "engines", "streamtoon", "foundation"},
}
FORBIDDEN = {
    "streamtoon": {"torch", "train"},
    "foundation": {"torch", "numpy"},
    "engines": set(),
    "trt_build": {"torch", "train"},
    "train": set(),
}
FILES = [p for package in OURS for p in sorted((ROOT / package).rglob("*.py"))]


def imports(file):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            for alias in node.names:
                yield f"{node.module}.{alias.name}"


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_arrows(file):
    package = file.relative_to(ROOT).parts[0]
    for name in imports(file):
        top = name.split(".")[0]
        assert top not in FORBIDDEN[package], f"{file} imports {name}"
        if top in OURS:
            assert top in ALLOWED[package], f"{file} imports {name}"
        if package == "train" and top == "streamtoon":
            assert name.split(".")[1] in FROM_STREAMTOON, f"{file} imports {name}"


def test_the_arrows_are_seen(tmp_path):
    file = tmp_path / "x.py"
    file.write_text("from streamtoon.pipeline import toon\nimport torch.nn", encoding="utf-8")
    assert list(imports(file)) == ["streamtoon.pipeline.toon", "torch.nn"]


def test_only_guard_seals():
    users = [f.name for f in FILES if any(name.endswith(".SEAL") for name in imports(f))]
    assert users == ["guard.py"]
    elsewhere = [f.name for f in FILES if f.name not in {"guard.py", "types.py"} and "SEAL" in f.read_text("utf-8")]
    assert elsewhere == []


@pytest.mark.parametrize(
    "code", ["import streamtoon", "from streamtoon.cli.main import arguments, COMMANDS; arguments.parser(COMMANDS)"]
)
def test_help_needs_no_heavy_library(code):
    heavy = ["cv2", "numpy", "av", "mediapipe", "openvino", "torch", "onnx", "onnxruntime", "gradio", "ray"]
    check = f"{code}; import sys; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_the_application_needs_no_torch():
    absent = ("torch", "onnxruntime", "onnx", "cuda", "tensorrt", "tensorrt_rtx", "tensorrt_rtx_bindings")
    block = f"import sys; sys.modules.update(dict.fromkeys({absent})); "
    names = [
        f"{package}.{p.stem}"
        for package in ("streamtoon", "trt_build", "engines")
        for p in (ROOT / package).glob("*.py")
        if not p.stem.startswith("__") and f"{package}.{p.stem}" != "engines.torch_graph"
    ]
    code = block + "; ".join(f"import {n}" for n in names)
    subprocess.run([sys.executable, "-c", code], check=True)
