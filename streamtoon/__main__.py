"""``python -m streamtoon`` is ``streamtoon``."""

from streamtoon.cli import run

run()
