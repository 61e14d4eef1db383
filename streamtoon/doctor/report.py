"""doctor: what this machine has for live, what it lacks, and the line that fixes it.

Live can work when every finding that is needed is "ok": Python, OpenVINO, the two face detectors (here, or
fetched at the first start), the default style, and an engine that really draws it. A camera, a virtual camera, a
screen and the codecs each serve one kind of source or sink, and live also takes films and streams: they are told,
with what fixes them, and none of them is needed.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shlex
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Final, Literal

from foundation.child import Child
from streamtoon import style_folder
from streamtoon.doctor import hardware, probe
from streamtoon.doctor.hardware import Finding
from streamtoon.errors import UsageError
from streamtoon.pipeline import face_models
from streamtoon.version import __version__

NO_GPU_WORDS: Final = ("no NVIDIA driver found", "sees no GPU", "no GPU provider")  # of engines that lack one
TENSORRT_MODULES: Final = ("tensorrt", "tensorrt_rtx", "tensorrt_rtx_bindings")
DETECTOR_PREFIX: Final = "face_detection"  # of the names of the models that live cannot do without
NEEDED_ENCODERS: Final = ("libx264", "libvpx-vp9", "aac")
NEEDED_DECODERS: Final = ("h264", "hevc", "libdav1d")  # libdav1d is av1: the decoder called av1 needs a GPU
OPENCV_PACKAGE: Final = "opencv-contrib-python"
CLASHING_OPENCVS: Final = ("opencv-python", "opencv-python-headless", "opencv-contrib-python-headless")
REINSTALL_COMMAND: Final = "pip install --force-reinstall --no-deps streamtoon"
PROBE_TIMEOUT_S: Final = 20.0  # of what is tried in a process of its own
TABLE_COLUMNS: Final = 100

Check = Callable[[], Iterator[Finding]]


def examine(root: Path = Path("/")) -> list[Finding]:
    """Look at everything; takes a few seconds, fetches nothing, raises nothing. ``root``: where /sys, /dev, /proc are.

    A check that raises becomes a finding in the state "broken" with the reason.
    """
    trials: dict[str, Child] = {}
    checks: list[tuple[str, bool, Check]] = [
        ("trials", True, partial(_start, trials)),
        ("Python", True, _python),
        ("OpenCV", False, _opencv),
        ("CPU", False, partial(hardware.cpu, root)),
        ("memory", False, partial(hardware.memory, root)),
        ("GPU", False, partial(hardware.gpu, root)),
        ("TensorRT", False, _tensorrt),
        ("engines", True, partial(_engines, trials)),
        ("face model", True, _models),
        ("find", True, partial(_find, trials)),
        ("style", True, _styles),
        ("camera", False, partial(hardware.cameras, root)),
        ("virtual camera", False, partial(hardware.virtual_camera, root)),
        ("codecs", False, _codecs),
        ("display", False, hardware.display),
    ]
    try:
        return [finding for name, needed, check in checks for finding in _isolated(name, check, needed=needed)]
    finally:
        for process in trials.values():
            process.stop()


def works(findings: list[Finding]) -> bool:
    """Whether live can work at all; what doctor's exit code says."""
    return all(f.state == "ok" for f in findings if f.needed)


def as_json(findings: list[Finding]) -> dict[str, object]:
    """Everything, for ``--json``."""
    return {"works": works(findings), "streamtoon": __version__, "findings": [asdict(f) for f in findings]}


def as_table(findings: list[Finding]) -> str:
    """Everything, for people, in TABLE_COLUMNS columns of plain text; a line that fixes something is kept whole."""
    margin = max(len(f.name) for f in findings) + 11
    lines = []
    for f in findings:
        state = f.state.upper() if f.needed and f.state != "ok" else f.state
        text = textwrap.wrap(f.what, TABLE_COLUMNS - margin, break_on_hyphens=False) or [""]
        lines.append(f"{state:7}  {f.name:{margin - 11}}  {text[0]}".rstrip())
        lines += [" " * margin + line for line in text[1:]]
        lines += [f"         > {line}" for line in f.fix.splitlines()]
    return "\n".join([*lines, "", *textwrap.wrap(_verdict(findings), TABLE_COLUMNS)])


def _verdict(findings: list[Finding]) -> str:
    bad = list(dict.fromkeys(f.name for f in findings if f.needed and f.state != "ok"))
    if bad:
        return f"live cannot work here until this is put right: {', '.join(bad)}"
    less = list(dict.fromkeys(f.name for f in findings if f.name in ("camera", "virtual camera") and f.state != "ok"))
    return "live works here" + (f", but without {' and '.join(less)}: name another source or sink" if less else "")


def _isolated(name: str, check: Check, *, needed: bool) -> list[Finding]:
    try:
        return list(check())
    except Exception as error:  # noqa: BLE001 - a doctor that fails on a broken machine is of no use
        why = f"it cannot be looked at: {type(error).__name__}: {' '.join(str(error).split())}"
        return [Finding(name, "broken", why, f"{REINSTALL_COMMAND}  # or report it, with this line", needed)]


def _start(trials: dict[str, Child]) -> Iterator[Finding]:
    """Begin what takes longest, so that it runs beside the rest."""
    import engines

    detectors = [face_models.state(name) for name in face_models.MODELS if name.startswith(DETECTOR_PREFIX)]
    trials["find"] = probe.start("find", "with models" if set(detectors) == {"ready"} else "")
    for name in dict.fromkeys((*engines.automatic(), *engines.names())):
        trials[name] = probe.start("draw", name)
    yield from ()


def _python() -> Iterator[Finding]:
    what = f"{platform.python_version()} on {platform.system()} {platform.machine()}, streamtoon {__version__}"
    yield Finding("Python", "ok", what, needed=True)


def _opencv() -> Iterator[Finding]:
    """OpenCV's packages all write into one folder: two of them break each other."""
    others = [name for name in CLASHING_OPENCVS if _version(name)]
    version = _version(OPENCV_PACKAGE)
    if others:
        why = f"{', '.join(others)} and {OPENCV_PACKAGE} overwrite each other's files"
        fix = f"pip uninstall -y {' '.join(others)}\npip install --force-reinstall --no-deps {OPENCV_PACKAGE}"
        yield Finding("OpenCV", "broken", why, fix)
    elif version:
        yield Finding("OpenCV", "ok", f"{OPENCV_PACKAGE} {version}")
    else:
        yield Finding("OpenCV", "missing", f"{OPENCV_PACKAGE} is not installed", f"pip install {OPENCV_PACKAGE}")


def _version(package: str) -> str:
    """The installed version of a package, empty where there is none."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _tensorrt() -> Iterator[Finding]:
    found = [name for name in TENSORRT_MODULES if importlib.util.find_spec(name)]
    if found:
        packages = metadata.packages_distributions()
        versions = [_version(packages[name][0]) if name in packages else "" for name in found]
        yield Finding("TensorRT", "ok", ", ".join(f"{n} {v}".strip() for n, v in zip(found, versions, strict=True)))
    else:
        yield Finding(
            "TensorRT", "missing", f"none of {', '.join(TENSORRT_MODULES)} is installed", _install("tensorrt")
        )


def _engines(trials: dict[str, Child]) -> Iterator[Finding]:
    """Every engine draws one crop in the default style; one that does, and is not the fake, is needed."""
    import engines

    runs = []
    for name in [n for n in trials if n != "find"]:
        good, what = probe.end(trials.pop(name), PROBE_TIMEOUT_S)
        if good:
            runs.append(name)
            yield Finding(f"engine {name}", "ok", what)
        elif "is not installed" in what:
            yield Finding(f"engine {name}", "missing", what, _install(name))
        elif any(words in what for words in NO_GPU_WORDS):
            yield Finding(f"engine {name}", "missing", what, "nothing has to be done: another engine draws")
        else:
            yield Finding(f"engine {name}", "broken", what, f"streamtoon demo --engine {name} --debug  # tells all")
    first = next((name for name in engines.automatic() if name in runs), None)
    if first:
        yield Finding("engine auto", "ok", f"takes {first}", needed=True)
    else:
        what = f"none of {', '.join(engines.automatic())} can draw here: see above"
        yield Finding("engine auto", "missing", what, _install("openvino"), needed=True)


def _install(engine: str) -> str:
    """The line that brings an engine's library."""
    import engines

    return engines.about(engine).install.get(engine, REINSTALL_COMMAND)


def _models() -> Iterator[Finding]:
    brought = os.environ.get(face_models.FOLDER_VARIABLE)
    folder = Path(brought) if brought else face_models.cache_folder()
    there = next(f for f in (folder, *folder.parents) if f.exists())
    for name, model in face_models.MODELS.items():
        state, needed = face_models.state(name), name.startswith(DETECTOR_PREFIX)
        what = f"{name}, {model.purpose}"
        if state == "ready":
            yield Finding("face model", "ok", what, needed=needed)
        elif brought:
            fix = f"unset {face_models.FOLDER_VARIABLE} && streamtoon models fetch  # or bring the file"
            why = f"{what}: {'not in' if state == 'missing' else 'another file in'} {folder}"
            yield Finding("face model", "missing" if state == "missing" else "broken", why, fix, needed)
        elif state == "missing":
            fetched = os.access(there, os.W_OK)
            why = f"{what}: not here yet, " + ("fetched when needed" if fetched else f"and {there} cannot be written")
            yield Finding("face model", "missing", why, "streamtoon models fetch", needed and not fetched)
        else:
            fix = f"rm {shlex.quote(str(folder / name))} && streamtoon models fetch"
            yield Finding("face model", "broken", f"{what}: it has the wrong hash", fix, needed)


def _find(trials: dict[str, Child]) -> Iterator[Finding]:
    good, what = probe.end(trials.pop("find"), PROBE_TIMEOUT_S)
    fix = "" if good else _install("openvino")
    yield Finding("find", "ok" if good else "broken", what, fix, needed=True)


def _styles() -> Iterator[Finding]:
    names = style_folder.names()
    for name in names:
        needed = name == style_folder.DEFAULT
        try:
            style = style_folder.load(name)
        except UsageError as error:
            yield Finding(f"style {name}", "broken", str(error), REINSTALL_COMMAND, needed)
        else:
            drawn = f"whole pictures of {style.lines} lines" if style.whole_picture else f"heads of {style.size} px"
            what = f"{style.title or name}: {drawn}, region {style.region}, background {style.background}"
            yield Finding(f"style {name}", "ok", what, needed=needed)
    if style_folder.DEFAULT not in names:
        what = f"{style_folder.FOLDER / style_folder.DEFAULT} is not there"
        yield Finding(f"style {style_folder.DEFAULT}", "missing", what, REINSTALL_COMMAND, needed=True)


def _codecs() -> Iterator[Finding]:
    import av

    fix = f"pip install --force-reinstall --only-binary av av=={av.__version__}"
    lacking_of = {
        "encoders": (NEEDED_ENCODERS, [name for name in NEEDED_ENCODERS if not _has(name, "w")]),
        "decoders": (NEEDED_DECODERS, [name for name in NEEDED_DECODERS if not _has(name, "r")]),
    }
    for kind, (wanted, lacking) in lacking_of.items():
        if lacking:
            yield Finding(kind, "missing", f"PyAV {av.__version__} is built without {', '.join(lacking)}", fix)
        else:
            yield Finding(kind, "ok", f"{', '.join(wanted)} (PyAV {av.__version__})")


def _has(codec: str, mode: Literal["r", "w"]) -> bool:
    import av

    try:
        av.Codec(codec, mode)
    except ValueError:
        return False
    return True
