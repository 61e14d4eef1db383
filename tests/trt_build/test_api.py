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
SHARED = ["engines/nvidia.py", "engines/runtimes/tensorrt.py", "engines/trt_lane.py", "trt_build/builder.py"]
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
    "builder": "Builder", "graph": "INetworkDefinition", "config": "IBuilderConfig", "parser": "OnnxParser",
    "shapes": "IOptimizationProfile", "context": "IExecutionContext", "plan": "ICudaEngine", "_plan": "ICudaEngine",
    "_runtime": "Runtime", "fed": "ITensor", "said": "ParserError", "measured": "ITimingCache",
    "timings": "ITimingCache",
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
    """(owner, member, keywords, how many arguments) for all that a file asks of ``trt`` and of what TensorRT gave it.

    The last is None for what is not called, or called with a list of arguments.
    """
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    calls = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        owner, call = node.value, calls.get(id(node))
        keywords = [k.arg for k in call.keywords] if call else []
        listed = call is None or any(isinstance(a, ast.Starred) for a in call.args)
        how = keywords, None if listed else len(call.args) + len(keywords)
        name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
        if name in ("trt", "_trt"):
            yield "", node.attr, *how
        elif name in kinds:
            yield kinds[name], node.attr, *how
        elif isinstance(owner, ast.Attribute) and getattr(owner.value, "id", getattr(owner.value, "attr", "")) in (
            "trt",
            "_trt",
        ):
            yield owner.attr, node.attr, *how


def overridden(file):
    """(class of ``trt``, method, how many arguments) for all that our subclasses of TensorRT's override."""
    for node in ast.walk(ast.parse((ROOT / file).read_text("utf-8"))):
        for base in node.bases if isinstance(node, ast.ClassDef) else ():
            if isinstance(base, ast.Attribute) and getattr(base.value, "id", "") == "trt":
                methods = [m for m in node.body if isinstance(m, ast.FunctionDef) and not m.name.startswith("_")]
                yield from ((base.attr, m.name, len(m.args.args) - 1) for m in methods)


def takes(doc):
    """The fewest and most arguments, but for self, of each signature that a docstring gives."""
    for line in re.findall(r"\w+\(self: [^\n]*?\) ->", doc):
        inner = re.sub(r"<[^<>]*>", "x", line[line.index("(") + 1 : line.rindex(")")])
        while inner != (flat := re.sub(r"[\[(][^\[\]()]*[\])]", "", inner)):
            inner = flat
        given = [part for part in inner.split(",")[1:] if part.strip()]
        yield len([part for part in given if "=" not in part]), len(given)


def lacking(api, uses):
    for owner, member, keywords, count in uses:
        if not owner:
            if member not in api and member != "__version__":
                yield member
            continue
        if owner not in api or member not in api[owner]["members"]:
            yield f"{owner}.{member}"
            continue
        signature = api[owner]["docs"].get(member, "")
        yield from (f"{owner}.{member}({k}=)" for k in keywords if not re.search(rf"\b{k}\b", signature))
        known = [] if member.startswith("__") else list(takes(signature))
        if count is not None and known and not any(fewest <= count <= most for fewest, most in known):
            yield f"{owner}.{member} with {count} arguments"


def looked(code):
    """The version and the API of ``trt``, as ``code`` imports it, read in another process."""
    code = f"{code}\n{LOOK}\nprint(json.dumps([trt.__version__, api(trt)]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def rtx():
    try:
        name, version = nvidia.identity()
    except EngineError as error:
        pytest.skip(str(error))
    if name != "tensorrt_rtx":
        pytest.skip("another TensorRT is installed")
    found, api = looked("from engines import nvidia\ntrt = nvidia.library().trt")
    assert found == version
    return api


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
    version, api = looked(
        f"import ctypes\nfor name in {LIBRARIES}:\n    ctypes.CDLL({str(folder)!r} + '/' + name, ctypes.RTLD_GLOBAL)\n"
        "import tensorrt_bindings as trt"
    )
    assert version.startswith("11.")
    return api


@pytest.fixture(scope="module")
def uses():
    return [use for file in SHARED for use in used(file, KINDS)]


def test_what_is_used_is_seen(uses):
    """The test's own eye: it sees attributes, flags, methods and keywords."""
    assert ("", "Builder", [], 1) in uses
    assert ("BuilderFlag", "TF32", [], None) in uses
    assert ("IBuilderConfig", "set_timing_cache", ["ignore_mismatch"], 2) in uses
    assert ("IExecutionContext", "execute_async_v3", [], 1) in uses
    assert ("IExecutionContext", "set_device_memory", [], 2) in uses
    assert ("ICudaEngine", "get_tensor_profile_shape", [], 2) in uses
    assert ("ParserError", "node_operator", [], 0) in uses
    assert ("ITimingCache", "serialize", [], 0) in uses
    assert len(set(map(str, uses))) > 40


def test_signatures_are_read(rtx, centre):
    assert list(takes("f(self: a.B, x: typing.SupportsInt, y: tuple[int, int] = (1, 2), z: E = <E.A: 0>) -> None")) == [
        (1, 3)
    ]
    for api in (rtx, centre):
        assert list(takes(api["IExecutionContext"]["docs"]["execute_async_v3"])) == [(1, 1)]
        assert {(2, 2)} == set(takes(api["IExecutionContext"]["docs"]["set_input_shape"]))
        assert list(takes(api["IBuilderConfig"]["docs"]["set_timing_cache"])) == [(2, 2)]


def test_what_is_overridden_is_there_with_as_many_arguments(rtx, centre):
    ours = {use for file in SHARED for use in overridden(file)} - {("ILogger", "reason", 0)}  # for ourselves
    steps = {("phase_start", 3), ("step_complete", 2), ("phase_finish", 1)}
    assert ours == {("ILogger", "log", 2), *(("IProgressMonitor", *step) for step in steps)}
    for api in (rtx, centre):
        for owner, method, count in ours:
            assert (count, count) in list(takes(api[owner]["docs"][method])), (owner, method)


def test_all_of_it_is_in_tensorrt_for_rtx(rtx, uses):
    assert sorted(set(lacking(rtx, uses))) == []


def test_all_of_it_is_in_the_data_centre_tensorrt(centre, uses):
    assert sorted(set(lacking(centre, uses))) == []


def test_what_is_not_there_would_be_found(centre, rtx):
    wrong = [
        ("BuilderFlag", "FP16", [], None),
        ("Builder", "build_engine", [], 2),
        ("IBuilderConfig", "set_timing_cache", ["no"], 2),
        ("IExecutionContext", "set_device_memory", [], 1),
    ]
    for api in (centre, rtx):
        assert len(list(lacking(api, wrong))) == 4


def test_what_only_rtx_has_is_apart(rtx, centre):
    asked = [*used(RTX_ONLY, RTX_KINDS), *used("engines/runtimes/tensorrt.py", {"kernels": "IRuntimeCache"})]
    assert ("CudaGraphStrategy", "WHOLE_GRAPH_CAPTURE", [], None) in asked
    assert ("IRuntimeCache", "serialize", [], 0) in asked
    assert sorted(set(lacking(rtx, asked))) == []
    assert "CudaGraphStrategy" in set(lacking(centre, asked))
    config = {"config.dynamic_shapes_kernel_specialization_strategy": "IRuntimeConfig",
              "config.cuda_graph_strategy": "IRuntimeConfig", "config.create_runtime_cache": "IRuntimeConfig",
              "config.set_runtime_cache": "IRuntimeConfig", "config.num_compute_capabilities": "IBuilderConfig",
              "config.set_compute_capability": "IBuilderConfig"}  # fmt: skip
    text = (ROOT / RTX_ONLY).read_text("utf-8")
    assert set(re.findall(r"\bconfig\.\w+", text)) == set(config)
    for name, owner in config.items():
        assert name.split(".")[1] in rtx[owner]["members"]


def test_no_removed_flag_is_used(uses):
    assert not {member for owner, member, *_ in uses if owner == "BuilderFlag"} & REMOVED
    text = "".join((ROOT / file).read_text("utf-8") for file in SHARED)
    assert "calibrator" not in text.lower()
