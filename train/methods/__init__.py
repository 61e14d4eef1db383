"""Training methods, one file each: ``python -m train NAME``.

A method is a module here, or one that another installed package announces as an entry point of the group
``streamtoon.methods``, with ``Args``, a dataclass whose docstrings are the command's help, and ``train(args)``.
``train.run.loop`` has what such runs share.
"""

from __future__ import annotations

from typing import Final

from foundation.registry import Registry

METHODS: Final = Registry(__name__, "streamtoon.methods")
