"""Files that are whole or not there: plans, and what is kept beside them to save time."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

PREFIX, SUFFIX = "streamtoon-", ".part"  # of what is being written; left only by a process that was killed


def write(file: Path, data: bytes) -> None:
    """Beside its place first, then into it: a reader sees the old file or the new one. Raises OSError."""
    handle, part = tempfile.mkstemp(dir=file.parent, prefix=PREFIX, suffix=SUFFIX)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        Path(part).replace(file)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
