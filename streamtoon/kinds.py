"""Which module opens a target: the one rule for sources and for sinks."""

from __future__ import annotations

from types import ModuleType
from typing import Final

from foundation.registry import Registry


class Kinds:
    """The kinds of sources or of sinks: the modules of ``package``, and other installs' entry points of that group.

    A module that says nothing else takes the targets that begin with its own name and a colon: ``NAME:...``. One with a
    function ``takes(target) -> bool`` takes those of which it is true; only the package's own modules may do that, so
    no other install changes what a film's name means. What nobody takes is for the module ``otherwise``.
    """

    def __init__(self, package: str, otherwise: str) -> None:
        self._registry: Final = Registry(package, package)
        self._otherwise: Final = otherwise

    def find(self, target: str, *roles: str) -> ModuleType:
        """The module that takes ``target`` and has a function of at least one of the names ``roles``.

        Imports the package's own modules at most, and of others' only the one that is named.
        """
        name = target.partition(":")[0]
        if ":" in target and name in self._registry.names():
            named = self._registry.load(name)
            if not hasattr(named, "takes") and _has(named, roles):
                return named
        for own in self._registry.own_names():
            module = self._registry.load(own)
            if hasattr(module, "takes") and module.takes(target) and _has(module, roles):
                return module
        return self._registry.load(self._otherwise)


def _has(module: ModuleType, roles: tuple[str, ...]) -> bool:
    return any(hasattr(module, role) for role in roles)
