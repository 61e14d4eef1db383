"""SVT-AV1 does more to its process than encode; nothing of that outlives its opening."""

import os
import sys
from pathlib import Path

from streamtoon import sinks
from streamtoon.film.encoder import Encoding
from streamtoon.privacy.guard import Guard


def test_it_is_kept_quiet_and_the_process_as_it_was(moved, tmp_path, capfd, monkeypatch):
    monkeypatch.delenv("SVT_LOG", raising=False)
    guard = Guard(private=False)
    with sinks.open(str(tmp_path / "a.mkv"), sinks.Options(encoding=Encoding("libsvtav1"))) as send:
        for frame in moved[:2]:
            send(guard(frame, frame.planes, 0))
            assert "SVT_LOG" not in os.environ
        if sys.platform == "linux":  # opened by root it would make all of them urgent
            assert {os.sched_getscheduler(int(t.name)) for t in Path("/proc/self/task").iterdir()} == {os.SCHED_OTHER}
    assert "SVT_LOG" not in os.environ
    assert capfd.readouterr().err == ""
