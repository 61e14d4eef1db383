"""A process a core, for work that is a function of a job."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import cv2

Job = TypeVar("Job")
Made = TypeVar("Made")


def _begin() -> None:
    """Ctrl-C is the parent's, and one core is enough where there is a process a core."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    os.environ["OMP_NUM_THREADS"] = "1"  # read by torch, which is imported after this


@contextmanager
def processes(count: int, work: Callable[[Job], Made]) -> Iterator[Callable[[Iterable[Job]], Iterable[Made]]]:
    """What maps ``work`` over jobs, in order: in ``count`` processes, or here where that is 1.

    Left early, it waits for the jobs in hand and forgets the rest.
    """
    if count <= 1:
        yield lambda jobs: map(work, jobs)
        return
    fresh = multiprocessing.get_context("spawn")  # a fork would inherit torch's and OpenVINO's threads, and hang
    pool = ProcessPoolExecutor(count, fresh, _begin)
    try:
        yield lambda jobs: pool.map(work, jobs, chunksize=4)
    finally:
        pool.shutdown(cancel_futures=True)
