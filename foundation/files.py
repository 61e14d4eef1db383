"""Files that are whole or not there: plans, checkpoints, style folders, and what is kept to save time."""

from __future__ import annotations

import secrets
from pathlib import Path

PREFIX, SUFFIX = "streamtoon-", ".part"  # of what is being written; left only by a process that was killed


def write(file: Path, data: bytes) -> None:
    """Beside its place first, then into it: a reader sees the old file or the new one. Missing folders are made.

    Raises OSError; what was there before is kept then.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{PREFIX}{secrets.token_hex(8)}{SUFFIX}")
    try:
        with part.open("xb") as stream:  # the usual permissions, which tempfile would not give
            stream.write(data)
        part.replace(file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_text(file: Path, text: str) -> None:
    """The same for text, as UTF-8."""
    write(file, text.encode())
