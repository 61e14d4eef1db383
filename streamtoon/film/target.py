"""Where a film or pictures may be written."""

from __future__ import annotations

import os
from pathlib import Path

from streamtoon.errors import UsageError


def check_target(target: Path, *, overwrite: bool) -> None:
    """Raise UsageError where ``target`` stands in the way or has no folder to lie in."""
    if not target.parent.is_dir():
        raise UsageError(f"cannot write {target}: there is no folder {target.parent}; make it first")
    if not os.access(target.parent, os.W_OK):
        raise UsageError(f"cannot write {target}: the folder {target.parent} is write-protected; choose another")
    if target.exists() and not overwrite:
        raise UsageError(f"cannot write {target}: it is already there; give another name or --overwrite")
