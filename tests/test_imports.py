"""Who may import whom, and what the base install may not need. ARCHITECTURE.md's arrows: test_house.py."""

import ast
import subprocess
import sys

import house
import pytest

FILES = house.files()
FORBIDDEN = {
    "foundation": {"engines", "trt_build", "streamtoon", "train", "numpy", "torch"},
    "engines": {"trt_build", "streamtoon", "train"},
    "trt_build": {"streamtoon", "train", "torch"},
    "streamtoon": {"train", "torch"},
    "train": {"trt_build"},
}
TRAIN_TAKES = {"streamtoon/types.py", "streamtoon/pipeline", "streamtoon/style_folder.py"}
BY_NAME = {"foundation/registry.py", "foundation/child.py"}  # the two places that import what they are told to


def path(file):
    return file.relative_to(house.ROOT).as_posix()


def at(file, text):
    """What ``file`` would be with ``text`` in it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize("file", FILES, ids=path)
def test_arrows(file):
    package, tree = house.module(file)[0], house.code(file)
    for name in (*house.imports(tree), *house.named(tree)):
        parts = tuple(name.split("."))
        assert parts[0], f"{file}: a relative import"
        assert parts[0] not in FORBIDDEN[package], f"{file} imports {name}"
        if package == "train" and parts[0] == "streamtoon":
            assert house.room(parts) in TRAIN_TAKES, f"{file} imports {name}"


@pytest.mark.parametrize("file", FILES, ids=path)
def test_nothing_of_ours_is_looked_up_by_name(file):
    if path(file) not in BY_NAME:
        assert house.by_name(house.code(file)) == [], file


@pytest.mark.parametrize(
    "text",
    [
        "import importlib\nimportlib.import_module('streamtoon.film')",
        "import importlib\nimportlib.import_module(f'engines.runtimes.{kind}')",
        "from importlib import import_module as load\nload('train.teachers.ink')",
        "from importlib.util import find_spec\nfind_spec('streamtoon')",
        "NAME = 'streamtoon'\nimport importlib.util\nspec = importlib.util.find_spec(NAME)",
        "__import__('train')",
        "from importlib.resources import files\nfiles('streamtoon')",
        "import runpy\nrunpy.run_module('trt_build')",
        "from importlib.metadata import entry_points\nentry_points(group='streamtoon.sinks')",
        "def installed(name):\n    return find_spec(name)\ninstalled('streamtoon')",
        "KINDS = ('torch', 'train')\n[name for name in KINDS if find_spec(name)]",
        "import sys\nsys.modules['streamtoon']",
        "import sys\nsys.modules.get('streamtoon')",
        "import streamtoon\nstreamtoon.__file__",
        "import engines\nlist(engines.__path__)",
        "run([sys.executable, '-c', 'from streamtoon.web import jobs'])",
    ],
)
def test_a_look_up_by_name_is_seen(text):
    assert house.by_name(ast.parse(text))


@pytest.mark.parametrize(
    "text",
    [
        "import importlib.util\nimportlib.util.find_spec('torch')",
        '"""streamtoon"""\nimport importlib\nimportlib.import_module(name)',
        "from importlib import metadata\nmetadata.version('streamtoon')",
        "KINDS = ('torch', 'onnx')\n[name for name in KINDS if find_spec(name)]\nprint('streamtoon')",
        "from streamtoon.film import reader",
    ],
)
def test_a_look_up_of_others_is_none_of_ours(text):
    assert house.by_name(ast.parse(text)) == []


@pytest.mark.parametrize("file", FILES, ids=path)
def test_paths_stay_in_their_room(file):
    for place in house.places(file):
        assert lies_in_its_room(place, file), f"{file} reaches for {place}"


def lies_in_its_room(place, file, root=house.ROOT):
    """Below the room of ``file``, or in a folder of its package that holds no code."""
    room = house.room(house.module(file, root), root)
    home = root / room if (root / room).is_dir() else file.parent
    inside = place.is_relative_to(home) if home != root / "streamtoon" else place == file
    of_package = place.is_relative_to(root / room.split("/")[0])
    data = not list(place.rglob("*.py")) if place.is_dir() else place.is_file() and place.suffix != ".py"
    return inside or (of_package and data)


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("Path(__file__).parent / 'words.txt'", True),
        ("Path(__file__).with_name('child.py')", True),
        ("Path(__file__).parent.parent / 'assets' / name", True),
        ("Path(__file__).parent.parent / 'sinks' / 'window.py'", False),
        ("Path(__file__).resolve().parents[1] / 'sinks'", False),
        ("ROOT = Path(__file__).parent.parent", False),
        ("Path(__file__).parent.parent.parent / 'train'", False),
        ("Path(__file__).parent / '..' / 'sinks'", False),
    ],
)
def test_a_path_out_of_its_room_is_seen(tmp_path, text, good):
    for name in ("assets/a.webp", "sinks/window.py", "sources/child.py"):
        at(tmp_path / "streamtoon" / name, "")
    file = at(tmp_path / "streamtoon" / "sources" / "x.py", text)
    assert all(lies_in_its_room(place.resolve(), file, tmp_path) for place in house.places(file)) is good


def test_file_is_used_in_no_other_way(tmp_path):
    file = at(tmp_path / "x.py", "import os\nos.path.dirname(os.path.dirname(__file__))")
    with pytest.raises(ValueError, match="outside of Path"):
        list(house.places(file))


def test_the_arrows_are_seen():
    tree = ast.parse(
        "from streamtoon import film\nimport torch.nn\nfrom . import x\nREGISTRY = Registry('engines.runtimes')"
    )
    assert list(house.imports(tree)) == ["streamtoon.film", "torch.nn", "..x"]
    assert list(house.named(tree)) == ["engines.runtimes"]
    assert list(house.named(ast.parse("Child('foundation.child:_run', {}); f'streamtoon.sinks.{name}'"))) == [
        "foundation.child",
        "streamtoon.sinks",
    ]


def test_only_guard_seals():
    sealing = {path(f) for f in FILES if "SEAL" in f.read_text("utf-8")}
    assert sealing == {"streamtoon/types.py", "streamtoon/privacy/guard.py"}


# libraries that report to their makers, and who may import them: there they are stopped first
REPORTERS = {
    "openvino": {"engines/libraries.py"},
    "onnxruntime": {"engines/libraries.py"},
    "gradio": {"streamtoon/web"},
    "mediapipe": set(),
    "openvino_telemetry": set(),
}


@pytest.mark.parametrize("file", FILES, ids=path)
def test_a_library_that_reports_is_imported_where_it_is_stopped(file):
    for name in house.imports(house.code(file)):
        allowed = REPORTERS.get(name.split(".")[0], {""})
        assert any(path(file).startswith(place) for place in allowed), f"{path(file)} imports {name}"


@pytest.mark.parametrize(
    "code", ["import streamtoon", "from streamtoon.cli.main import arguments, COMMANDS; arguments.parser(COMMANDS)"]
)
def test_help_needs_no_heavy_library(code):
    heavy = ["cv2", "numpy", "av", "openvino", "torch", "onnx", "onnxruntime", "gradio", "ray"]
    check = f"{code}; import sys; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def base_modules():
    """Every module that a base install imports: no web page, and not the graph that torch runs."""
    for file in FILES:
        name = ".".join(house.module(file))
        outside = name.startswith(("train", "streamtoon.web", "engines.torch_"))
        if not outside and file.stem != "__main__":
            yield name


def test_the_application_needs_no_torch():
    absent = (
        "torch",
        "onnxruntime",
        "onnx",
        "cuda",
        "gradio",
        "pyvirtualcam",
        "tensorrt",
        "tensorrt_rtx",
        "tensorrt_rtx_bindings",
    )
    block = f"import sys; sys.modules.update(dict.fromkeys({absent})); "
    code = block + "; ".join(f"import {name}" for name in base_modules())
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
