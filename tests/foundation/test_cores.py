import os

import pytest

from foundation import cores


@pytest.mark.parametrize(
    ("told", "found"), [("200000 100000", 2), ("150000 100000", 2), ("5000 100000", 1), ("max 100000", 6), (None, 6)]
)
def test_a_container_s_share_counts(tmp_path, monkeypatch, told, found):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)), raising=False)
    monkeypatch.setattr(cores, "QUOTA_FILE", tmp_path / "cpu.max")
    if told:
        (tmp_path / "cpu.max").write_text(f"{told}\n", "ascii")
    assert cores.available_cores() == found
