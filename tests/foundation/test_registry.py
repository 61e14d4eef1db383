"""Modules of one kind: a package's own, and those that other installed packages announce."""

import sys

import pytest

from foundation.errors import UsageError
from foundation.registry import Registry


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """A package of tools, which must not be imported to be listed, and another package that brings one more."""
    folder = tmp_path / "shed" / "tools"
    folder.mkdir(parents=True)
    (tmp_path / "shed" / "__init__.py").write_text("raise RuntimeError('the shed was entered')", "utf-8")
    for name in ("saw", "hammer", "_drawer"):
        (folder / f"{name}.py").write_text(f"NAME = {name!r}", "utf-8")
    (folder / "box").mkdir()
    (folder / "box" / "__init__.py").write_text("", "utf-8")
    (folder / "__init__.py").write_text("", "utf-8")
    (tmp_path / "lent.py").write_text("NAME = 'drill'", "utf-8")
    card = tmp_path / "lent-1.0.dist-info"
    card.mkdir()
    (card / "METADATA").write_text("Metadata-Version: 2.1\nName: lent\nVersion: 1.0\n", "utf-8")
    (card / "entry_points.txt").write_text("[shed.tools]\ndrill = lent\nsaw = lent\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield Registry("shed.tools", "shed.tools")
    for name in [m for m in sys.modules if m.partition(".")[0] in ("shed", "lent")]:
        del sys.modules[name]


def test_names_are_listed_without_importing_anything(tools):
    assert tools.names() == ("hammer", "saw", "drill")
    assert not {"shed", "shed.tools", "lent"} & set(sys.modules)


def test_its_own_modules_come_before_those_of_others(tools, tmp_path):
    (tmp_path / "shed" / "__init__.py").write_text("", "utf-8")
    assert [tools.load(name).NAME for name in tools.names()] == ["hammer", "saw", "drill"]


def test_an_unknown_name_tells_the_known_ones(tools):
    with pytest.raises(UsageError, match=r"shed.tools has no 'axe'; choose one of hammer, saw, drill"):
        tools.load("axe")
