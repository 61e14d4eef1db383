"""Films: checked by decoding, drawn one after the other in a child process, so that nobody live waits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from foundation.errors import ChildError
from streamtoon.errors import StreamtoonError
from streamtoon.web.jobs import worker
from streamtoon.web.sessions.sessions import BusyError, Session
from streamtoon.web.settings import Choice, Settings

MAX_WAITING_FILMS: Final = 4  # behind the one that is being drawn
MAX_FRAME_PIXELS: Final = 3840 * 2160  # of one frame
QUEUE_POLL_S: Final = 0.3  # between two checks whether the film's turn has come


class StoppedError(StreamtoonError):
    """Somebody pressed Cancel."""


@dataclass(frozen=True, slots=True)
class FilmRequest:
    """A film and how it is to be drawn."""

    source: Path
    choice: Choice
    private: bool = False


@dataclass(frozen=True, slots=True)
class FilmFacts:
    """What a film is: seconds, None where nobody knows; frames a second; px."""

    seconds: float | None
    rate: float
    size: tuple[int, int]


def probe(file: Path, settings: Settings) -> FilmFacts:
    """Open a film, in a child process, and decode its first frame.

    Raises UsageError for one that is none or beyond a limit.
    """
    said = worker.ask("probe", source=str(file))
    rate, count, (width, height) = said["rate"], said["count"], said["size"]
    seconds = count / rate if count and rate else None
    if seconds is not None and seconds > 60 * settings.max_minutes:
        raise BusyError(
            f"the film lasts {seconds / 60:.1f} minutes; {settings.max_minutes:g} minutes is the limit here: cut it, "
            "or draw it with `streamtoon convert`"
        )
    if width * height > MAX_FRAME_PIXELS:
        raise BusyError(
            f"the film has {width}x{height} px; 3840x2160 is the limit here: draw it with `streamtoon convert`"
        )
    return FilmFacts(seconds, rate, (width, height))


class FilmQueue:
    """Where films wait for their turn: one is drawn at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._places: list[object] = []  # the first is being drawn
        self._lock = threading.Lock()

    def draw(self, session: Session, asked: FilmRequest) -> Iterator[dict[str, Any]]:
        """Draw a film into the session's folder.

        Yields {"ahead": films before it}, then {"progress": ...}, and in the end {"done": summary, "output": path}.
        Raises BusyError where the queue is full, StoppedError after Cancel, UsageError for a film that is none.
        """
        probe(asked.source, self._settings)
        gone = threading.Event()
        session.stop("film")
        with self._turn() as ahead:
            session.on_end("film", gone.set)
            try:
                while (before := ahead()) > 0:
                    yield {"ahead": before}
                    if gone.wait(QUEUE_POLL_S):
                        raise StoppedError("stopped; nothing was kept")
                yield from self._run(session, asked, gone)
            finally:
                session.closing.pop("film", None)

    def _run(self, session: Session, asked: FilmRequest, gone: threading.Event) -> Iterator[dict[str, Any]]:
        output = session.new_folder() / f"{asked.source.stem[:40] or 'film'}-drawn.mp4"
        with worker.outcome(), worker.start(
            "film", source=str(asked.source), output=str(output), **asdict(asked.choice), private=asked.private,
            engine=self._settings.engine, threads=self._settings.threads, max_minutes=self._settings.max_minutes,
        ) as child:  # fmt: skip

            def end() -> None:  # whoever is told of progress may not ask for more once the page is closed
                gone.set()
                child.stop()

            session.on_end("film", end)
            try:
                for progress in child.messages(cancel=gone):
                    yield {"progress": progress}
                yield {"done": child.result(), "output": str(output)}
            except ChildError:
                if gone.is_set():
                    raise StoppedError("stopped; nothing was kept") from None
                raise

    @contextmanager
    def _turn(self) -> Iterator[Any]:
        """A place in the queue; gives a function that tells how many are before it."""
        ticket = object()
        with self._lock:
            if len(self._places) > MAX_WAITING_FILMS:
                raise BusyError(f"{len(self._places)} films are waiting here already; try again in a few minutes")
            self._places.append(ticket)
        try:
            yield lambda: self._places.index(ticket)
        finally:
            with self._lock:
                self._places.remove(ticket)
