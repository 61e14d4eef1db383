"""Plans that were compiled: NAME-PRECISION-KEY.plan with a readable .json of the same name beside each.

A plan is good for one network, precision, batch profile, shape of pictures, TensorRT, CUDA and GPU: its key. What is
cut off, damaged or of another key is never loaded; ``find`` says why, and the plan is compiled again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from engines import U8, EngineError, nvidia
from foundation import files
from trt_build.compiler import Profile
from trt_build.source import Shape, Source

RECIPE: Final = 1  # how graphs are made here; raised when precision.py changes what comes out
OURS: Final = re.compile(
    r".+-(?:fp32|fp16|int8)-[0-9a-f]{16}\.(?:plan|json|kernels)|tensorrt.*\.timing|streamtoon-.*\.part"
)
NO_GPU: Final = "none"  # a plan made without a GPU: TensorRT for RTX makes one for every GPU it knows


@dataclass(frozen=True, slots=True)
class Key:
    """What a plan depends on; all of it is in its .json.

    network      sha256 of the ONNX file it was made from
    calibration  sha256 of the crops INT8 was calibrated on
    profile      fewest, usual and most pictures of a batch, "1-4-8"
    shape        width and height of a picture, "256x256"
    cuda         newest CUDA the driver runs
    """

    network: str
    precision: str
    calibration: str
    profile: str
    shape: str
    module: str
    version: str
    cuda: str
    gpu: str
    capability: str
    recipe: int

    @property
    def card(self) -> str:
        """The GPU, for people."""
        return "every RTX GPU" if self.gpu == NO_GPU else f"{self.gpu} ({self.capability}), CUDA {self.cuda}"

    @property
    def short(self) -> str:
        """Sixteen letters that stand for all of it."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Kept:
    """A plan in the cache; ``flaw`` says why it cannot be used, empty where it can."""

    path: Path
    key: Key | None
    size: int
    seconds: float
    made: str
    flaw: str


def default() -> Path:
    """The folder of this user's plans."""
    import pooch

    return Path(pooch.os_cache("streamtoon")) / "plans"


def key(source: Source, precision: str, profile: Profile, calibration: U8 | None, shape: Shape | None = None) -> Key:
    """The key of a plan of ``source`` on this machine. Raises EngineError where no TensorRT is installed.

    shape: of the pictures; None for ``source.shape``.
    """
    module, version = nvidia.identity()
    file = source.fp16 if precision == "fp16" and source.fp16 is not None else source.onnx
    try:
        gpu = nvidia.gpu()
        card = (gpu.cuda, gpu.name, gpu.capability)
    except EngineError:
        card = (NO_GPU, NO_GPU, NO_GPU)
    crops = "" if calibration is None else hashlib.sha256(calibration.tobytes()).hexdigest()
    network = hashlib.sha256(file.read_bytes()).hexdigest()
    h, w = shape or source.shape
    batch = "-".join(map(str, profile))
    return Key(network, precision, crops, batch, f"{w}x{h}", module, version, *card, RECIPE)


def find(folder: Path, name: str, wanted: Key) -> tuple[Kept | None, str]:
    """The plan with that key, or why there is none: what is wrong with it, or how the nearest one differs."""
    stem = _path(folder, name, wanted).with_suffix("")
    stems = _stems(folder)
    if stem in stems:
        one = _entry(stem)
        return (None, one.flaw) if one.flaw else (one, "")
    nearly = [_entry(s, hashed=False).key for s in stems if s.name.startswith(f"{name}-{wanted.precision}-")]
    return None, min((difference(k, wanted) for k in nearly if k is not None), key=len, default="there was none")


def difference(other: Key, wanted: Key) -> str:
    """How two keys differ, in words."""
    pairs = [(f.name, str(getattr(other, f.name)), str(getattr(wanted, f.name))) for f in fields(Key)]
    return "the one there has " + ", ".join(f"{n} {a[:24]}, not {b[:24]}" for n, a, b in pairs if a != b)


def entries(folder: Path) -> list[Kept]:
    """Every plan in the folder, the newest last; a plan without its .json, or the other way round, has a flaw."""
    return sorted((_entry(stem) for stem in _stems(folder)), key=lambda kept: (kept.made, kept.path))


def _stems(folder: Path) -> set[Path]:
    return {p.with_suffix("") for p in _ours(folder) if p.suffix in (".plan", ".json")}


def _ours(folder: Path) -> list[Path]:
    """The files of this cache, whatever else lies in the folder."""
    return [p for p in folder.glob("*") if OURS.fullmatch(p.name)]


def _entry(stem: Path, *, hashed: bool = True) -> Kept:
    """What is kept under ``stem``. hashed: read the plan itself as well, which for all of them takes a while."""
    plan, card = Path(f"{stem}.plan"), Path(f"{stem}.json")
    size = plan.stat().st_size if plan.is_file() else 0
    try:
        said = json.loads(card.read_text(encoding="utf-8"))
        found = Key(**said["key"])
        whole, seconds, made, sha256 = (
            int(said["bytes"]),
            float(said["seconds"]),
            str(said["made"]),
            str(said["sha256"]),
        )
    except (OSError, ValueError, TypeError, KeyError):
        return Kept(plan, None, size, 0.0, "", "its .json cannot be read")
    if not plan.is_file():
        flaw = "the plan is gone"
    elif size != whole:
        flaw = f"it is cut off: {size} of {whole} bytes"
    elif hashed and hashlib.sha256(plan.read_bytes()).hexdigest() != sha256:
        flaw = "it is damaged: another sha256 than its .json says"
    elif not stem.name.endswith(found.short):
        flaw = "it is another's: its .json has the key of another plan"
    else:
        flaw = ""
    return Kept(plan, found, size, seconds, made, flaw)


def store(folder: Path, name: str, at: Key, plan: bytes, seconds: float) -> Path:
    """Write a plan and its .json, whole or not at all; the plan's path. Raises EngineError."""
    path = _path(folder, name, at)
    card: dict[str, Any] = {
        "name": name, "bytes": len(plan), "sha256": hashlib.sha256(plan).hexdigest(), "seconds": seconds,
        "made": datetime.now(UTC).isoformat(timespec="seconds"), "key": asdict(at),
    }  # fmt: skip
    with _told(folder):
        files.write(path, plan)
        try:
            files.write(path.with_suffix(".json"), (json.dumps(card, indent=2) + "\n").encode())
        except OSError:
            path.unlink()  # the disk is full: a plan without its .json would only keep it so
            raise
        path.with_suffix(".kernels").unlink(missing_ok=True)
    return path


def writable(folder: Path) -> None:
    """Raise EngineError now, before a long build, where ``folder`` cannot be written."""
    with _told(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass


def timing(folder: Path, at: Key) -> Path:
    """The file of the builder's timing cache: good for one TensorRT and one GPU."""
    return folder / f"{at.module}-{at.version}-{at.gpu.replace(' ', '-').replace('/', '-')}.timing"


def clear(folder: Path) -> int:
    """Delete every plan and what belongs to it; how many plans there were. Raises EngineError."""
    plans = 0
    with _told(folder):
        for file in _ours(folder):
            file.unlink(missing_ok=True)
            plans += file.suffix == ".plan"
    return plans


def _path(folder: Path, name: str, at: Key) -> Path:
    return folder / f"{name}-{at.precision}-{at.short}.plan"


@contextlib.contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise EngineError(
            f"the plan cache {folder} cannot be written: {reason}; make room there, or name another folder: "
            "trt_build and engine by --cache, the other commands by XDG_CACHE_HOME"
        ) from error
