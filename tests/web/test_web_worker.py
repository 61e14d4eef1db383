"""What becomes of jobs in child processes: their limits, and what the page says of those that fail."""

import os
import sys

import pytest

from streamtoon.errors import SourceError, UsageError
from streamtoon.web.jobs import worker


@pytest.fixture(autouse=True)
def failing_jobs(monkeypatch):
    """The worker takes its jobs from failing_jobs.py."""
    monkeypatch.setattr(worker, "__name__", "failing_jobs")


@pytest.mark.skipif(sys.platform == "win32", reason="this system knows neither limit")
def test_limits():
    limits, trial = worker.ask("limits"), worker.ask("trial_drawing")
    assert limits == {"memory": worker.MAX_MEMORY_BYTES, "nice": min(os.nice(0) + worker.NICENESS, 19)}
    assert trial["memory"] == worker.TRIAL_MEMORY_BYTES


def test_what_a_job_refuses_keeps_its_kind():
    with pytest.raises(SourceError, match=r"^cannot read a\.mp4: it is none$"):
        worker.ask("refuse")


@pytest.mark.parametrize(
    ("job", "words"),
    [("fail", "^it failed: ZeroDivisionError$"), ("eat", "more memory than it may"), ("die", "the work broke off")],
)
def test_what_the_page_says(job, words):
    with pytest.raises(UsageError, match=words):
        worker.ask(job)


def test_a_job_that_takes_too_long(monkeypatch):
    monkeypatch.setattr(worker, "SHORT_JOB_TIMEOUT_S", 0.5)
    with pytest.raises(UsageError, match="the work broke off"):
        worker.ask("hang")
