"""The folder that sessions lie in. It goes with the server; where a server was killed, the next one removes it."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Final

try:
    import fcntl
except ImportError:  # Windows, where a folder cannot be locked: what a killed server left stays there
    fcntl = None  # type: ignore[assignment]

FOLDER_PREFIX: Final = "streamtoon-web-"
UNLOCKED_GRACE_S: Final = 60.0  # a new folder may not be locked yet for so long


class Folder:
    """A new folder that no other user of this machine can read; ``remove`` when it is not needed any more."""

    def __init__(self) -> None:
        _remove_left_over()
        self.path = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX)).resolve()
        self._lock = _lock(self.path)

    def remove(self) -> None:
        """Remove it and all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def files_in(folder: Path) -> list[Path]:
    """All files below a folder, while others add and remove some."""
    return [Path(place, name) for place, _, names in os.walk(folder) for name in names]


def _remove_left_over() -> None:
    """Remove the folders of servers that were killed: nobody holds their locks any more."""
    for path in Path(tempfile.gettempdir()).glob(FOLDER_PREFIX + "*"):
        try:
            if path.is_symlink() or time.time() - path.stat().st_mtime < UNLOCKED_GRACE_S:
                continue
            lock = _lock(path)
        except OSError:  # somebody else's, or in use
            continue
        if lock is not None:
            shutil.rmtree(path, ignore_errors=True)
            os.close(lock)


def _lock(path: Path) -> int | None:
    """Lock a folder for as long as this process lives. Raises OSError where another has it."""
    if fcntl is None:
        return None
    opened = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(opened)
        raise
    return opened
