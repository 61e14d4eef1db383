import os

import pytest

from foundation.environment import environment


def test_variables_hold_for_the_block_alone(monkeypatch):
    monkeypatch.setenv("STREAMTOON_A", "before")
    monkeypatch.delenv("STREAMTOON_B", raising=False)
    with pytest.raises(KeyError), environment({"STREAMTOON_A": "1", "STREAMTOON_B": "2"}):  # noqa: PT012
        assert (os.environ["STREAMTOON_A"], os.environ["STREAMTOON_B"]) == ("1", "2")
        raise KeyError
    assert os.environ["STREAMTOON_A"] == "before"
    assert "STREAMTOON_B" not in os.environ


def test_what_the_user_has_set_may_stay(monkeypatch):
    monkeypatch.setenv("STREAMTOON_A", "mine")
    with environment({"STREAMTOON_A": "1"}, unless_set=True):
        assert os.environ["STREAMTOON_A"] == "mine"
    assert os.environ["STREAMTOON_A"] == "mine"
