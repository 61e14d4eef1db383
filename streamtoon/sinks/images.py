"""Pictures: one file, or a folder of them; written beside the target and moved when all are there."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from PIL import Image

from streamtoon.contracts import Send, Source, check_output
from streamtoon.errors import SinkError, UsageError
from streamtoon.film.target import check_target
from streamtoon.image.planes import to_rgb
from streamtoon.sinks import Options
from streamtoon.sources.images import SUFFIXES, Pictures, is_pictures
from streamtoon.sources.portrait import Portrait
from streamtoon.types import OutputFrame

SAVE_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    ".jpg": {"quality": 95, "subsampling": 0},
    ".jpeg": {"quality": 95, "subsampling": 0},
    ".png": {"compress_level": 3},
    ".tif": {"compression": "tiff_lzw"},
    ".tiff": {"compression": "tiff_lzw"},
    ".webp": {"quality": 95},
}


class PictureSink:
    """Pictures being written; ``open`` makes one and says what its arguments mean."""

    def __init__(self, target: Path, like: Source | None, *, overwrite: bool) -> None:
        self.notices: list[str] = []
        self.target = target
        self._paths = like.paths if isinstance(like, Pictures) else None
        self._alone = target.suffix.lower() in SUFFIXES and not target.is_dir()
        if self._alone:
            if not isinstance(like, Pictures) or like.count != 1:
                raise UsageError(f"cannot write {target}: it is one picture; give a folder for several")
            check_target(target, overwrite=overwrite)
        else:
            _check_folder(target, overwrite=overwrite)
        if any(p.resolve().is_relative_to(target.resolve()) for p in self._paths or ()):
            raise UsageError(f"cannot write {target}: it is what is read; give another name")
        self._part = target.with_name(f".{target.name}.part")

    def __enter__(self) -> Send:
        try:
            shutil.rmtree(self._part, ignore_errors=True)  # of a run that was killed
            self._part.mkdir()
        except OSError as error:
            raise SinkError(f"cannot write {self.target}: {error.strerror}; choose another place") from None
        return self.send

    def send(self, drawn: OutputFrame) -> None:
        """Write ``drawn``. Raises TypeError for anything but an OutputFrame, SinkError where it cannot be written."""
        check_output(drawn)
        source = self._paths[drawn.index] if self._paths else None
        name = self.target.name if self._alone else source.name if source else f"{drawn.index:06d}.png"
        path = self._part / name
        try:
            settings = {**SAVE_OPTIONS.get(path.suffix.lower(), {}), **_profile(source)}
            Image.fromarray(to_rgb(drawn.planes, drawn.layout, drawn.colour)).save(path, None, **settings)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise SinkError(f"cannot write {self.target}: {why}; free some space or choose another place") from None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            shutil.rmtree(self._part, ignore_errors=True)

    def _finish(self) -> None:
        written = sorted(self._part.iterdir())
        if not written:
            raise SinkError(f"cannot write {self.target}: not one picture was sent")
        try:
            if self._alone:
                written[0].replace(self.target)
                return
            self.target.mkdir(exist_ok=True)
            for path in written:
                path.replace(self.target / path.name)
        except OSError as error:
            raise SinkError(f"cannot write {self.target}: {error.strerror}; choose another place") from None


def _check_folder(target: Path, *, overwrite: bool) -> None:
    """Raise UsageError unless ``target`` is a folder that may be written into, or may become one."""
    if target.exists() and not target.is_dir():
        raise UsageError(f"cannot write {target}: it is a file; give a folder for pictures")
    if target.is_dir() and any(target.iterdir()) and not overwrite:
        raise UsageError(f"cannot write into {target}: it is not empty; give another name or --overwrite")
    check_target(target, overwrite=True)


def _profile(source: Path | None) -> dict[str, Any]:
    """The colour profile of the source picture: without it the same numbers are other colours."""
    if source is None:
        return {}
    with Image.open(source) as file:
        profile = file.info.get("icc_profile")
        # a profile for grey or for printing inks says nothing of RGB
        return {"icc_profile": profile} if profile and file.mode in ("RGB", "RGBA", "P") else {}


def takes(target: str) -> bool:
    """Whether ``target`` is a picture or a folder: a name without a suffix is one."""
    return is_pictures(target) or not Path(target).suffix


def open(target: str, options: Options) -> PictureSink:  # noqa: A001 - as in ``Image.open``
    """A sink that writes pictures.

    target   a picture's name where ``options.like`` is one picture; otherwise a folder, made where it is not there
    options  of pictures the file names and colour profiles are kept; other frames are 000000.png, ...

    Raises UsageError where ``target`` cannot be written; sending and leaving raise SinkError.
    """
    if isinstance(options.like, Portrait):
        raise UsageError(f"cannot write {target}: the portrait is a film; name one, such as out.mp4")
    return PictureSink(Path(target), options.like, overwrite=options.overwrite)
