"""live: a camera in, drawn pictures out, newest first; what leaves is drawn, held for a moment, or a card.

Reading, the toon's three stages and a sender for each sink have a thread each, and none waits for a slower one. A
sender sends each new safe picture at once and repeats the last safe one when none comes. Whatever goes wrong on the way
from the camera to the ``OutputGate`` (an engine that raises, a detector that stalls, a camera that is pulled out) ends
in fewer new pictures there, never in an undrawn one.
"""

from __future__ import annotations

import logging
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from streamtoon.pipeline.timings import Meter
from streamtoon.pipeline.toon import Toon
from streamtoon.privacy.output_gate import OutputGate
from streamtoon.types import Frame, OutputFrame
from streamtoon.workflows.threads import Latest

log = logging.getLogger(__name__)

Send = Callable[[OutputFrame], None]

LAST_STAGE: Final = 2  # of the toon: see, draw, blend
REPEAT_AFTER_FRAMES: Final = 1.5  # frame times without a new picture until the last safe one is sent again
MIN_GAP_FRAMES: Final = 0.8  # frame times between two pictures, on average: a faster camera makes no faster stream
REMEMBERED_CAPTURES: Final = 64  # new pictures whose capture times are remembered until they are sent
FAULTS_UNTIL_TOLD: Final = 3  # times in a row that drawing may fail before it is said


@dataclass(slots=True)
class _Job:
    """A frame on its way, and the toon that is to draw it."""

    toon: Toon
    frame: Frame
    captured: float  # seconds of time.monotonic
    done: Any = None  # what the stages so far made of it; None where one failed


class Live:
    """The running loop. ``run`` returns when the source ends or ``stop`` is called.

    fps      pictures a second that are sent, about
    threads  that drawing may use: every two of them draw a frame of their own at a time, more would only wait for them
    on_fault is told of faults, one line each; a web session tells them on its own page
    """

    def __init__(
        self,
        frames: Iterator[Frame],
        toon: Toon,
        safe: OutputGate,
        sinks: Sequence[AbstractContextManager[Send]],
        *,
        fps: float,
        threads: int = 2,
        meter: Meter | None = None,
        on_fault: Callable[[str], None] = log.warning,
    ) -> None:
        self._frames, self._safe, self._sinks = frames, safe, sinks
        self._toon = self._drawing = toon
        self._toons = [toon]  # those not closed yet: one may be switched away before it drew
        self._fps, self._flight, self._on_fault = fps, max(1, threads // 2), on_fault
        self.meter = meter or Meter()
        self.new = 0  # drawn pictures that reached the OutputGate
        self.latencies: deque[float] = deque(maxlen=100_000)  # seconds from capture to sent, of each new picture
        self._times: deque[float] = deque(maxlen=60)
        self._captured: dict[int, float] = {}
        self._stop = threading.Event()
        self._faults = 0
        self.passthrough = False  # True lets frames leave as they come: the preview sets it while a key is held
        self._flow: Latest | None = None
        self._failed: BaseException | None = None

    @property
    def dropped(self) -> int:
        """How many frames were overtaken by newer ones."""
        return self._flow.dropped if self._flow is not None else 0

    @property
    def engine(self) -> str:
        """Which engine draws, and on what."""
        return f"{self._toon.engine.name}, {self._toon.engine.device}"

    def latency(self) -> float:
        """Seconds from capture to sent, median of the newest pictures."""
        newest = list(self.latencies)[-30:]
        return statistics.median(newest) if newest else 0.0

    def rate(self) -> float:
        """New pictures a second, over the newest ones."""
        times = list(self._times)
        return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 and times[-1] > times[0] else 0.0

    def stop(self) -> None:
        """End ``run`` soon; may be called from any thread."""
        self._stop.set()

    def switch(self, toon: Toon) -> None:
        """Draw with another toon from the next frame on; the old one is closed when its last frame is done."""
        self._toons.append(toon)
        self._toon = toon

    def run(self) -> None:
        """Draw and send until the source ends; closes the toon. Raises what a sink raised, or what ended the source."""
        with ExitStack() as stack:
            stack.callback(self._close)
            senders = [stack.enter_context(sink) for sink in self._sinks]
            threads = [threading.Thread(target=self._sender, args=(send,), daemon=True) for send in senders]
            stack.callback(self._join, threads)
            for thread in threads:
                thread.start()
            stages = [partial(self._stage, number) for number in range(LAST_STAGE + 1)]
            self._flow = stack.enter_context(Latest(self._read(), *stages, flight=self._flight, stop=self._stop))
            for job in self._flow:
                drawn: OutputFrame | None = job.done
                if drawn is None:
                    continue
                if drawn.state == "drawn":
                    self.new += 1
                    self._times.append(time.monotonic())
                    if senders:
                        self._captured[drawn.index] = job.captured
                    else:  # a preview alone: it is shown at once
                        self.latencies.append(self._times[-1] - job.captured)
                    if len(self._captured) > REMEMBERED_CAPTURES:  # overtaken before it was sent
                        self._captured.pop(min(self._captured), None)
                self._safe.put(drawn)
        if self._failed is not None:
            raise self._failed

    def _close(self) -> None:
        for toon in self._toons:
            toon.close()

    def _join(self, threads: list[threading.Thread]) -> None:
        self._stop.set()
        for thread in threads:
            thread.join(timeout=5)

    def _read(self) -> Iterator[_Job]:
        frames = self._frames
        while not self._stop.is_set():
            start = time.perf_counter()
            frame = next(frames, None)
            if frame is None:
                return
            self.meter.add("read", time.perf_counter() - start)
            yield _Job(self._toon, frame, time.monotonic())

    def _stage(self, number: int, job: _Job) -> _Job:
        """One of the toon's stages, for a job that came through those before it."""
        if number == LAST_STAGE and job.toon is not self._drawing:
            self._drawing = job.toon
            while self._toons[0] is not job.toon:
                self._toons.pop(0).close()
        if number and job.done is None:
            return job
        try:
            if number == LAST_STAGE and self.passthrough:
                job.done = job.toon.undrawn(job.frame)
            else:
                job.done = job.toon.stages[number](job.done if number else job.frame)
        except Exception as error:  # noqa: BLE001 - fail closed: whatever it was, this frame does not leave
            job.done = None
            self._fault(error)
        else:
            self._faults = 0 if number == LAST_STAGE else self._faults
        return job

    def _fault(self, error: Exception) -> None:
        self._faults += 1
        if self._faults == FAULTS_UNTIL_TOLD:
            self._on_fault(f"drawing fails, the card is shown: {' '.join(str(error).split()) or type(error).__name__}")

    def _sender(self, send: Send) -> None:
        seen, patience, due = 0, 0.0, 0.0  # the card leaves at once
        while not self._stop.is_set():
            time.sleep(max(0.0, due - time.monotonic()))
            number, picture = self._safe.take(seen, patience)
            # a picture that came late does not hold up the next
            due = max(due + MIN_GAP_FRAMES / self._fps, time.monotonic())
            try:
                with self.meter("write"):
                    send(picture)
            except Exception as error:  # noqa: BLE001 - raised again by run
                self._failed = error
                self._stop.set()
                return
            captured = self._captured.pop(picture.index, None) if number > seen else None
            if captured is not None:
                self.latencies.append(time.monotonic() - captured)
            seen, patience = number, REPEAT_AFTER_FRAMES / self._fps
