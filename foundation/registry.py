"""Modules of one kind: one file adds an engine, a source, a sink, a teacher or a training method.

A registry lists the modules of one package and those that other installed packages announce as entry points of its
group, under the same contract. Names are listed without importing anything.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import Final

from foundation.errors import UsageError


class Registry:
    """The modules in ``package``, and entry points of ``group``; a package's own module beats an entry point.

    Modules whose names begin with an underscore, and packages, are not listed.
    """

    def __init__(self, package: str, group: str) -> None:
        self.package: Final = package
        self.group: Final = group

    def own_names(self) -> tuple[str, ...]:
        """Names of the package's own modules, in alphabetical order. Imports nothing."""
        top, *inner = self.package.split(".")
        spec = importlib.util.find_spec(top)
        folders = [str(Path(f, *inner)) for f in (spec.submodule_search_locations if spec is not None else None) or ()]
        modules = pkgutil.iter_modules(folders)
        return tuple(sorted(m.name for m in modules if not m.ispkg and not m.name.startswith("_")))

    def names(self) -> tuple[str, ...]:
        """Every name, the package's own first, each part in alphabetical order. Imports nothing."""
        own = self.own_names()
        others = sorted({e.name for e in importlib.metadata.entry_points(group=self.group)} - set(own))
        return (*own, *others)

    def load(self, name: str) -> ModuleType:
        """The module called ``name``. Raises UsageError for an unknown name, and what importing it raises."""
        if name not in self.names():
            raise UsageError(f"{self.group} has no {name!r}; choose one of {', '.join(self.names())}")
        for entry in importlib.metadata.entry_points(group=self.group, name=name):
            if importlib.util.find_spec(f"{self.package}.{name}") is None:
                module: ModuleType = entry.load()
                return module
        return importlib.import_module(f"{self.package}.{name}")
