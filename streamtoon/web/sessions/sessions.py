"""One session for each open page: its folder, its styles, what runs for it; all of it goes when the page does.

Session folders lie in the folder that Gradio serves files from, under names nobody can guess: whoever has no address
of a file cannot ask for it.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from streamtoon import style_folder
from streamtoon.errors import UsageError
from streamtoon.web.sessions.folder import Folder, files_in
from streamtoon.web.settings import Choice, Settings

MAX_KEPT_RESULTS: Final = 24
MAX_KEPT_UPLOADS: Final = 6
SESSION_IDLE_S: Final = 3600.0  # a session that asked for nothing for so long is over
UNTAKEN_UPLOAD_S: Final = 600.0  # an upload that no session took within this time is removed
SWEEP_INTERVAL_S: Final = 60.0  # between two sweeps

LIVE_IDLE_S: Final = 30.0  # without a picture from the camera for so long somebody else may have the place
LIVE: Final = "live"  # the name of what draws live in ``Session.closing``: one a session


class BusyError(UsageError):
    """A limit was reached; the message says which and what to do."""


@dataclass(slots=True, eq=False)
class Session:
    """What belongs to one open page.

    folder   its own; what is made for it lies here, the newest MAX_KEPT_RESULTS results
    uploads  its uploaded files, the newest MAX_KEPT_UPLOADS
    styles   name -> folder of the styles it brought
    closing  what to call when it ends: name -> function
    """

    key: str
    folder: Path
    uploads: list[Path] = field(default_factory=list)
    styles: dict[str, Path] = field(default_factory=dict)
    closing: dict[str, Callable[[], None]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    seen: float = field(default_factory=time.monotonic)
    _result_folders: list[Path] = field(default_factory=list)
    live: Any = None  # the peer or the picture stream that draws for it now
    over: bool = False  # its page was closed; nothing begins for it any more

    def new_folder(self) -> Path:
        """A new folder of its own for one result; the oldest goes when there are too many."""
        with self.lock:
            self.check()
            folder = self.folder / secrets.token_hex(8)
            folder.mkdir()
            self._result_folders.append(folder)
            if len(self._result_folders) > MAX_KEPT_RESULTS:
                shutil.rmtree(self._result_folders.pop(0), ignore_errors=True)
        return folder

    def style(self, name: str) -> str:
        """The name or folder of a style on the page. Raises UsageError: nobody names a folder from outside."""
        if name in self.styles:
            return str(self.styles[name])
        if name in style_folder.names():
            return name
        raise UsageError(f"there is no style {name!r}; choose one of {', '.join(self.style_names())}")

    def choice(self, style: str, region: str, background: str) -> Choice:
        """What the page's controls say. Raises UsageError where one says what does not exist."""
        return Choice(self.style(style), region, background)  # type: ignore[arg-type]  # it checks them

    def style_names(self) -> list[str]:
        """The embedded styles, then those this session brought."""
        return [*style_folder.names(), *self.styles]

    def check(self) -> None:
        """Raise UsageError where its page was closed: what began now, nobody would end."""
        if self.over:
            raise UsageError("this page was closed; open it again")

    def on_end(self, name: str, close: Callable[[], None]) -> None:
        """Call ``close`` when the session ends, or ``stop(name)`` is called. Raises UsageError where it has ended."""
        with self.lock:
            self.check()
            self.closing[name] = close

    def stop(self, name: str) -> None:
        """Call what was registered under ``name``, once."""
        with self.lock:
            close = self.closing.pop(name, None)
        if close is not None:
            close()


class Sessions:
    """All of them. Use as a context manager: leaving ends every session and removes the folder."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._folder = Folder()
        self.root = self._folder.path
        self._sessions: dict[str, Session] = {}
        self.uploaded: set[str] = set()  # where the upload route put files; Gradio adds to it
        self._owners: dict[Path, set[str]] = {}  # uploaded files; the same file may be uploaded twice
        self._lock = threading.RLock()
        self._closed = threading.Event()
        threading.Thread(target=self._sweep_on, name="sweep", daemon=True).start()

    def of(self, request: Any) -> Session:
        """The session of a ``gr.Request``; one of its own for a call that belongs to none."""
        key = str(request.session_hash or secrets.token_hex(20))
        with self._lock:
            session = self._sessions.get(key)
            if session is None:
                folder = self.root / secrets.token_hex(20)
                folder.mkdir()
                session = self._sessions[key] = Session(key, folder)
            session.seen = time.monotonic()
            return session

    def adopt(self, session: Session, path: str) -> Path:
        """Note that an uploaded file is this session's, so that it goes with it. Raises UsageError for other files."""
        file = Path(path).resolve()
        # never the root itself: an upload's folder goes with it
        inside = file.is_relative_to(self.root) and file.parent != self.root
        if not inside or str(file) not in self.uploaded or not file.is_file():
            raise UsageError("that file is not here any more; upload it again")
        limit = self.settings.max_upload
        if file.stat().st_size > limit:
            raise BusyError(f"the file is larger than {limit / 1e6:g} MB, which is the limit here; give a smaller one")
        with self._lock:
            session.check()
            self._owners.setdefault(file, set()).add(session.key)
            session.uploads = [f for f in session.uploads if f != file] + [file]
            if len(session.uploads) > MAX_KEPT_UPLOADS:
                self._disown(session, session.uploads.pop(0))
        return file

    def _disown(self, session: Session, file: Path) -> None:
        """Remove an uploaded file, unless another session has uploaded the same."""
        owners = self._owners.get(file, set())
        owners.discard(session.key)
        if not owners:
            self._owners.pop(file, None)
            self.uploaded.discard(str(file))
            file.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # the same picture under another name may be somebody else's
                file.parent.rmdir()

    def enter_live(self, session: Session) -> None:
        """Count this session as live; its lock must be held. Raises BusyError where too many are, UsageError once over.

        Sessions' locks come before ours: under ours nobody asks for one of theirs.
        """
        session.check()
        self._stop_idle()
        with self._lock:
            others = sum(s.live is not None for s in self._sessions.values() if s is not session)
            if others >= self.settings.max_sessions:
                raise BusyError(f"{others} people are live here, which is the limit; try again in a while")
            session.live = session.live or True

    def end(self, key: str) -> None:
        """End a session: stop what runs for it and remove its files. Nothing where there is none."""
        with self._lock:
            session = self._sessions.pop(key, None)
        if session is None:
            return
        with session.lock:  # what is just beginning for it has begun then, and can be ended
            session.over = True
        for name in list(session.closing):
            with contextlib.suppress(Exception):  # one that fails must not keep the others, or the files, alive
                session.stop(name)
        with self._lock:
            for file in session.uploads:
                self._disown(session, file)
        shutil.rmtree(session.folder, ignore_errors=True)

    def sweep(self) -> None:
        """End what nobody has asked anything of for long, and remove uploads that nobody used."""
        self._stop_idle()
        now = time.monotonic()
        with self._lock:
            old = [key for key, s in self._sessions.items() if now - s.seen > SESSION_IDLE_S and not s.closing]
        for key in old:
            self.end(key)
        with self._lock:
            mine = {s.folder for s in self._sessions.values()}
            for file in files_in(self.root):
                if file in self._owners or not mine.isdisjoint(file.parents):
                    continue
                with contextlib.suppress(OSError):  # gone meanwhile, or not the last in its folder
                    if time.time() - file.stat().st_mtime > UNTAKEN_UPLOAD_S:
                        file.unlink()
                        self.uploaded.discard(str(file))
                        if file.parent != self.root:
                            file.parent.rmdir()

    def _sweep_on(self) -> None:
        while not self._closed.wait(SWEEP_INTERVAL_S):
            with contextlib.suppress(Exception):  # one sweep that fails must not be the last
                self.sweep()

    def _stop_idle(self) -> None:
        """End the picture streams that get no pictures any more."""
        with self._lock:
            idle = [s for s in self._sessions.values() if getattr(s.live, "idle", False)]
        for session in idle:
            if not session.lock.acquire(blocking=False):  # somebody presses Start there: not idle any more
                continue
            try:
                if getattr(session.live, "idle", False):
                    session.stop(LIVE)
            finally:
                session.lock.release()

    def __enter__(self) -> Self:
        return self

    def end_all(self) -> None:
        """End every session."""
        for key in list(self._sessions):
            self.end(key)

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self.end_all()
        self._folder.remove()
