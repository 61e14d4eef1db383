"""How frames flow: the only place with threads and queues."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from types import TracebackType
from typing import Any, Final, Self

QUEUED_FRAMES: Final = 1  # at most between two stages: memory stays constant

_END: Final = object()


class _Raised:
    def __init__(self, error: BaseException) -> None:
        self.error = error


def every(items: Iterable[Any], *stages: Callable[[Any], Any]) -> Generator[Any, None, None]:
    """Each item through each stage, in order, none dropped; reading and every stage have a thread of their own.

    An error in any of them is raised here, after what came before it was yielded. When the consumer stops early
    (break, error, Ctrl-C) the threads end and ``items`` is closed before control returns.
    """
    stop = threading.Event()
    links: list[queue.Queue[Any]] = [queue.Queue(QUEUED_FRAMES) for _ in range(len(stages) + 1)]
    workers = [threading.Thread(target=_feed, args=(items, links[0], stop), name="read", daemon=True)]
    for stage, before, after in zip(stages, links, links[1:], strict=False):
        workers.append(threading.Thread(target=_work, args=(stage, before, after, stop), daemon=True))
    for worker in workers:
        worker.start()
    try:
        while (item := _get(links[-1], stop)) is not _END:
            if isinstance(item, _Raised):
                raise item.error
            yield item
    finally:
        stop.set()
        for worker in workers:
            worker.join()


def _feed(items: Iterable[Any], out: queue.Queue[Any], stop: threading.Event) -> None:
    try:
        for item in items:
            if not _put(out, item, stop):
                return
        _put(out, _END, stop)
    except BaseException as error:  # noqa: BLE001 - carried to the consumer, which raises it
        _put(out, _Raised(error), stop)
    finally:
        close = getattr(items, "close", None)
        if close is not None:
            close()


def _work(stage: Callable[[Any], Any], source: queue.Queue[Any], out: queue.Queue[Any], stop: threading.Event) -> None:
    while (item := _get(source, stop)) is not _END and not isinstance(item, _Raised):
        try:
            result = stage(item)
        except BaseException as error:  # noqa: BLE001 - carried to the consumer, which raises it
            _put(out, _Raised(error), stop)
            return
        if not _put(out, result, stop):
            return
    _put(out, item, stop)


def _put(link: queue.Queue[Any], item: Any, stop: threading.Event) -> bool:
    while not stop.is_set():
        try:
            link.put(item, timeout=0.1)
        except queue.Full:
            continue
        return True
    return False


def _get(link: queue.Queue[Any], stop: threading.Event) -> Any:
    while not stop.is_set():
        try:
            return link.get(timeout=0.1)
        except queue.Empty:
            continue
    return _END


class Slot:
    """Holds one item between two stages that must not wait: the newest wins, the one it overtakes is dropped."""

    def __init__(self) -> None:
        self._items: deque[Any] = deque()
        self._changed = threading.Condition()
        self.dropped = 0

    def put(self, item: Any) -> bool:
        """Add an item; never waits. Whether another was dropped for it."""
        with self._changed:
            full = bool(self._items)
            if full:
                self._items.popleft()
                self.dropped += 1
            self._items.append(item)
            self._changed.notify()
            return full

    def put_last(self, item: Any) -> None:
        """Add the item that ends the flow: behind what waits, dropping nothing."""
        with self._changed:
            self._items.append(item)
            self._changed.notify()

    def get(self, stop: threading.Event) -> Any:
        """The oldest item still here, waiting for one; _END once ``stop`` is set."""
        with self._changed:
            while not self._items:
                if stop.is_set():
                    return _END
                self._changed.wait(0.1)
            return self._items.popleft()


class Latest:
    """Items through stages, newest first served: reading never waits, stages that lag skip what is stale.

    ``flight`` items at most are in the stages at a time; the others wait, or are overtaken, before the first.
    ``stop`` ends it from outside.

    Iterating yields results in order. An error while reading ends the flow and is raised; a stage's own errors are the
    stage's to catch. ``dropped`` counts items that were overtaken. Use as a context manager.
    """

    def __init__(
        self,
        items: Iterable[Any],
        *stages: Callable[[Any], Any],
        flight: int = 1,
        stop: threading.Event | None = None,
    ) -> None:
        self._items = items
        self._slots = [Slot() for _ in range(len(stages) + 1)]
        self._stop = stop or threading.Event()
        self._flight = threading.Semaphore(flight)
        self._threads = [threading.Thread(target=self._feed, name="read", daemon=True)]
        for number, stage in enumerate(stages):
            self._threads.append(threading.Thread(target=self._work, args=(number, stage), daemon=True))

    @property
    def dropped(self) -> int:
        """How many items were overtaken by newer ones."""
        return sum(slot.dropped for slot in self._slots)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __iter__(self) -> Iterator[Any]:
        while (item := self._slots[-1].get(self._stop)) is not _END:
            if isinstance(item, _Raised):
                raise item.error
            yield item

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        for thread in self._threads:  # a camera may be stuck in its driver: then its thread ends with the process
            thread.join(timeout=2)

    def _feed(self) -> None:
        try:
            for item in self._items:
                if self._stop.is_set():
                    break
                self._slots[0].put(item)
            self._slots[0].put_last(_END)
        except BaseException as error:  # noqa: BLE001 - carried to the consumer, which raises it
            self._slots[0].put_last(_Raised(error))
        finally:
            close = getattr(self._items, "close", None)
            if close is not None:
                close()

    def _work(self, number: int, stage: Callable[[Any], Any]) -> None:
        before, after = self._slots[number : number + 2]
        last = after is self._slots[-1]
        while (item := self._take(before)) is not _END and not isinstance(item, _Raised):
            dropped = after.put(stage(item))
            if dropped or last:
                self._flight.release()
        after.put_last(item)

    def _take(self, slot: Slot) -> Any:
        """The next item of ``slot``; before the first stage it waits until those in flight are few enough."""
        while slot is self._slots[0] and not self._flight.acquire(timeout=0.1):
            if self._stop.is_set():
                return _END
        return slot.get(self._stop)
