"""``python -m streamtoon`` is ``streamtoon``."""

from streamtoon.cli.main import run

run()
