"""What our code asks of TensorRT exists in TensorRT for RTX and in the data-centre TensorRT 11.

The data-centre bindings are the real ones, imported over stubs of the libraries they load: that shows every class,
flag, method and signature on a machine that cannot have the libraries.
"""

import ast
import json
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from engines import EngineError, nvidia

ROOT = Path(__file__).parent.parent.parent
SHARED = ["engines/nvidia.py", "engines/tensorrt.py", "trt_build/compiler.py"]
RTX_ONLY = "engines/rtx.py"
REMOVED = {
    "FP16",
    "INT8",
    "BF16",
    "FP8",
    "OBEY_PRECISION_CONSTRAINTS",
    "PREFER_PRECISION_CONSTRAINTS",
    "EXPLICIT_BATCH",
}
KINDS = {  # how our code names what TensorRT gives it
    "builder": "Builder", "network": "INetworkDefinition", "config": "IBuilderConfig", "parser": "OnnxParser",
    "shapes": "IOptimizationProfile", "context": "IExecutionContext", "plan": "ICudaEngine", "_plan": "ICudaEngine",
    "_runtime": "Runtime", "fed": "ITensor",
}  # fmt: skip
RTX_KINDS = {"plan": "ICudaEngine", "kernels": "IRuntimeCache"}
LIBRARIES = ("libnvinfer.so.11", "libnvinfer_plugin.so.11", "libnvonnxparser.so.11")
SYMBOLS = (
    "createInferBuilder_INTERNAL", "createInferRefitter_INTERNAL", "createInferRuntime_INTERNAL",
    "createNvOnnxParser_INTERNAL", "createNvOnnxParserRefitter_INTERNAL", "getBuilderPluginRegistry",
    "getPluginRegistry", "getNvOnnxParserVersion", "initLibNvInferPlugins",
)  # fmt: skip
LOOK = """
import inspect, json
def api(trt):
    found = {}
    for name, thing in vars(trt).items():
        if isinstance(thing, type):
            docs = {m: getattr(thing, m).__doc__ or "" for m in dir(thing) if callable(getattr(thing, m, None))}
            found[name] = {"members": dir(thing), "docs": docs, "doc": thing.__init__.__doc__ or ""}
    return found
"""


def used(file, kinds):
    """(owner, member, keywords) for all that a file asks of ``trt`` and of what TensorRT gave it."""
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    calls = {id(node.func): [k.arg for k in node.keywords] for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        owner, keywords = node.value, calls.get(id(node), [])
        name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
        if name in ("trt", "_trt"):
            yield "", node.attr, keywords
        elif name in kinds:
            yield kinds[name], node.attr, keywords
        elif isinstance(owner, ast.Attribute) and getattr(owner.value, "id", getattr(owner.value, "attr", "")) in (
            "trt",
            "_trt",
        ):
            yield owner.attr, node.attr, keywords


def lacking(api, uses):
    for owner, member, keywords in uses:
        if not owner:
            if member not in api and member != "__version__":
                yield member
        elif owner not in api or member not in api[owner]["members"]:
            yield f"{owner}.{member}"
        else:
            signature = api[owner]["docs"].get(member, "")
            yield from (f"{owner}.{member}({k}=)" for k in keywords if not re.search(rf"\b{k}\b", signature))


@pytest.fixture(scope="module")
def rtx():
    try:
        library = nvidia.library()
    except EngineError as error:
        pytest.skip(str(error))
    if not library.rtx:
        pytest.skip("another TensorRT is installed")
    space = {}
    exec(LOOK, space)  # noqa: S102 - the same look at both
    return space["api"](library.trt)


@pytest.fixture(scope="module")
def centre(tmp_path_factory):
    """The API of the real data-centre bindings, read in another process."""
    try:
        metadata.version("tensorrt-cu13-bindings")
    except metadata.PackageNotFoundError:
        pytest.skip("tensorrt-cu13-bindings is not installed")
    compiler = shutil.which("cc") or pytest.skip("no C compiler to make the stubs with")
    folder = tmp_path_factory.mktemp("stubs")
    (folder / "stub.c").write_text("".join(f"void *{name}(void) {{ return 0; }}\n" for name in SYMBOLS), "utf-8")
    for name in LIBRARIES:
        subprocess.run(
            [compiler, "-shared", "-fPIC", f"-Wl,-soname,{name}", "-o", folder / name, folder / "stub.c"], check=True
        )
    code = (
        f"import ctypes\nfor name in {LIBRARIES}:\n    ctypes.CDLL({str(folder)!r} + '/' + name, ctypes.RTLD_GLOBAL)\n"
        f"import tensorrt_bindings as trt\n{LOOK}\nprint(json.dumps([trt.__version__, api(trt)]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    version, api = json.loads(done.stdout)
    assert version.startswith("11.")
    return api


@pytest.fixture(scope="module")
def uses():
    return [use for file in SHARED for use in used(file, KINDS)]


def test_what_is_used_is_seen(uses):
    """The test's own eye: it sees attributes, flags, methods and keywords."""
    assert ("", "Builder", []) in uses
    assert ("BuilderFlag", "TF32", []) in uses
    assert ("IBuilderConfig", "set_timing_cache", ["ignore_mismatch"]) in uses
    assert ("IExecutionContext", "execute_async_v3", []) in uses
    assert ("ICudaEngine", "get_tensor_profile_shape", []) in uses
    assert len(set(map(str, uses))) > 35


def test_all_of_it_is_in_tensorrt_for_rtx(rtx, uses):
    assert sorted(set(lacking(rtx, uses))) == []


def test_all_of_it_is_in_the_data_centre_tensorrt(centre, uses):
    assert sorted(set(lacking(centre, uses))) == []


def test_what_is_not_there_would_be_found(centre, rtx):
    wrong = [
        ("BuilderFlag", "FP16", []),
        ("Builder", "build_engine", []),
        ("IBuilderConfig", "set_timing_cache", ["no"]),
    ]
    for api in (centre, rtx):
        assert len(list(lacking(api, wrong))) == 3


def test_what_only_rtx_has_is_apart(rtx, centre):
    asked = list(used(RTX_ONLY, RTX_KINDS))
    assert ("CudaGraphStrategy", "WHOLE_GRAPH_CAPTURE", []) in asked
    assert sorted(set(lacking(rtx, asked))) == []
    assert "CudaGraphStrategy" in set(lacking(centre, asked))
    config = {"config.cuda_graph_strategy": "IRuntimeConfig", "config.create_runtime_cache": "IRuntimeConfig",
              "config.set_runtime_cache": "IRuntimeConfig", "config.num_compute_capabilities": "IBuilderConfig",
              "config.set_compute_capability": "IBuilderConfig"}  # fmt: skip
    text = (ROOT / RTX_ONLY).read_text("utf-8")
    assert set(re.findall(r"\bconfig\.\w+", text)) == set(config)
    for name, owner in config.items():
        assert name.split(".")[1] in rtx[owner]["members"]


def test_no_removed_flag_is_used(uses):
    assert not {member for owner, member, _ in uses if owner == "BuilderFlag"} & REMOVED
    text = "".join((ROOT / file).read_text("utf-8") for file in SHARED)
    assert "calibrator" not in text.lower()
