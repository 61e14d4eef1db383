"""How frames flow: the only place with threads and queues."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable
from typing import Any, Final

SLOTS: Final = 2  # pictures at most between two stages: memory stays constant

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
    links: list[queue.Queue[Any]] = [queue.Queue(SLOTS) for _ in range(len(stages) + 1)]
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
