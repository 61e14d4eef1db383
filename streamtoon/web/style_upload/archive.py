"""An uploaded style's zip: unpacked within limits, then checked. Nothing in it is ever run as code.

Taken: style.toml, ONNX files, CARD.md and other plain text, one preview picture; at the top or in one folder. Not
taken: anything else, paths that lead elsewhere, links, encrypted or oversized entries. Sizes are counted while they are
read: what an archive says of itself is not believed.
"""

from __future__ import annotations

import hashlib
import shutil
import stat
import tomllib
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from PIL import Image, UnidentifiedImageError

from streamtoon import style_folder
from streamtoon.errors import UsageError
from streamtoon.types import Style
from streamtoon.web.style_upload import memory, operators

MAX_FILES: Final = 24
MAX_UNPACKED_BYTES: Final = 160_000_000  # of everything unpacked
MAX_TEXT_BYTES: Final = 100_000  # of a card or another text
MAX_PREVIEW_BYTES: Final = 2_000_000
ALLOWED_SUFFIXES: Final = frozenset({".toml", ".onnx", ".md", ".txt", ".webp", ".png", ".jpg", ".jpeg"})
TEXT_NAMES: Final = frozenset({"LICENSE", "LICENCE", "NOTICE"})
PICTURE_SUFFIXES: Final = frozenset({".webp", ".png", ".jpg", ".jpeg"})
# by suffix; MAX_TEXT_BYTES for others
MAX_FILE_BYTES: Final = {".onnx": operators.MAX_NETWORK_BYTES, **dict.fromkeys(PICTURE_SUFFIXES, MAX_PREVIEW_BYTES)}
MAX_PREVIEW_PIXELS: Final = 4_000_000
READ_BYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class CheckedStyle:
    """A style that passed, and what was found: one line each."""

    style: Style
    found: list[str]


def unpack(archive: Path, folder: Path) -> str:
    """Unpack a style's zip into ``folder`` (which must not exist); what was found, in a line.

    Raises UsageError with the first thing that is wrong; then ``folder`` is not there.
    """
    folder.mkdir()
    try:
        return _extract(archive, folder)
    except BaseException:
        remove(folder)
        raise


def check(folder: Path) -> CheckedStyle:
    """Check every file of an unpacked style. Call it in a child process: a network can be a decompression bomb too.

    Raises UsageError with the first thing that is wrong.
    """
    style = style_folder.load(str(folder))
    _check_name(style.name)
    summary = operators.check_operators(style.onnx)
    megabytes = memory.check_memory(style.onnx, style) / 1e6
    kinds = len(summary.operators)
    found = [
        f"hash of {style.onnx.name} is the one in the card",
        f"network: {summary.nodes} nodes, {kinds} operators, {summary.parameters:,} parameters, {megabytes:.0f} MB",
    ]
    return CheckedStyle(style, found + _half(folder, style) + _artefacts(folder))


def _extract(archive: Path, folder: Path) -> str:
    try:
        with zipfile.ZipFile(archive) as file:
            entries = [e for e in file.infolist() if not e.is_dir()]
            if not 0 < len(entries) <= MAX_FILES:
                raise UsageError(f"the zip holds {len(entries)} files; a style has from 1 to {MAX_FILES}")
            names = _names(entries)
            total = 0
            for entry, name in zip(entries, names, strict=True):
                limit = MAX_FILE_BYTES.get(PurePosixPath(name).suffix.lower(), MAX_TEXT_BYTES)
                total += _copy(file, entry, folder / name, min(limit, MAX_UNPACKED_BYTES - total))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError):
        raise UsageError("this is no zip that can be opened; zip the style folder again") from None
    return f"archive: {len(entries)} files, {total / 1e6:.1f} MB, no path leads out of it"


def _names(entries: list[zipfile.ZipInfo]) -> list[str]:
    """File names, without the one folder they may all lie in."""
    names, tops = [], set()
    for entry in entries:
        path = PurePosixPath(entry.filename)
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if path.is_absolute() or ".." in path.parts or "\\" in entry.filename or ":" in entry.filename:
            raise UsageError("the zip holds a path that leads out of its folder; zip the style folder itself")
        if kind not in (0, stat.S_IFREG):
            raise UsageError(f"{path.name[:60]!r} in the zip is a link or device; only plain files are taken")
        if entry.flag_bits & 1:
            raise UsageError("the zip is encrypted; make one without a password")
        if len(path.parts) > 2:
            raise UsageError("the zip holds folders in folders; zip the style folder itself")
        if path.suffix.lower() not in ALLOWED_SUFFIXES and path.name not in TEXT_NAMES:
            raise UsageError(
                f"{path.name[:60]!r} is not taken: a style has style.toml, .onnx files, texts and a preview, never code"
            )
        tops.add(path.parts[:-1])
        names.append(path.name)
    if len(tops) > 1 or len(set(names)) < len(names):
        raise UsageError("the zip holds files in several folders; zip one style folder")
    if "style.toml" not in names:
        raise UsageError("there is no style.toml in the zip; zip a style folder, such as `train export` makes")
    return names


def _copy(file: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, limit: int) -> int:
    """Unpack one entry; how many bytes. Raises UsageError as soon as there are more than ``limit``."""
    size = 0
    with file.open(entry) as packed, target.open("wb") as out:
        while part := packed.read(READ_BYTES):
            size += len(part)
            if size > limit:
                raise UsageError(
                    f"{target.name!r} in the zip unpacks to more than {limit / 1e6:.0f} MB; that is not taken"
                )
            out.write(part)
    return size


def _check_name(name: str) -> None:
    if not (name.isascii() and name.replace("-", "").replace("_", "").isalnum() and len(name) <= 40):
        raise UsageError(f"the style's name {name[:60]!r} must be up to 40 letters, digits, - and _; change style.toml")
    if name in style_folder.names():
        raise UsageError(f"there is a style called {name!r} already; give yours another name in style.toml")


def _half(folder: Path, style: Style) -> list[str]:
    """Check the half-precision network, where the card names one."""
    card = tomllib.loads((folder / "style.toml").read_text(encoding="utf-8"))
    name = card.get("fp16")
    if name is None:
        return []
    file = folder / Path(str(name)).name
    if file.name != name or not file.is_file():
        raise UsageError(f"the card names {str(name)[:60]!r}, which is not in the zip; export the style again")
    if hashlib.sha256(file.read_bytes()).hexdigest() != card.get("fp16_sha256"):
        raise UsageError(f"{file.name} has another hash than the card says; export the style again")
    operators.check_operators(file)
    memory.check_memory(file, style)
    return [f"hash and operators of {file.name} too"]


def _artefacts(folder: Path) -> list[str]:
    """Check the preview and the texts."""
    found = []
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() in PICTURE_SUFFIXES:
            try:
                with Image.open(file, formats=("WEBP", "PNG", "JPEG")) as picture:
                    if picture.width * picture.height > MAX_PREVIEW_PIXELS:
                        raise UsageError(
                            f"{file.name} has {picture.width}x{picture.height} px; make the preview smaller"
                        )
                    picture.load()
            except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
                raise UsageError(f"{file.name} is no picture that can be opened; take it out or replace it") from None
            found.append(f"{file.name} is a picture")
        elif file.suffix in (".md", ".txt") or file.name in TEXT_NAMES:
            try:
                file.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                raise UsageError(f"{file.name} is no plain text; take it out or replace it") from None
            found.append(f"{file.name} is plain text")
    return found


def remove(folder: Path) -> None:
    """Remove what ``unpack`` made."""
    shutil.rmtree(folder, ignore_errors=True)
