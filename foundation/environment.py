"""Environment variables for the length of a block: for libraries that take a setting in no other way."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def environment(values: Mapping[str, str], *, unless_set: bool = False) -> Iterator[None]:
    """Set variables of this process for the block; afterwards each is what it was, or absent again.

    ``unless_set`` leaves those alone that the user has set.
    """
    before = {name: os.environ.get(name) for name in values}
    os.environ.update({name: value for name, value in values.items() if not unless_set or before[name] is None})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
