"""The toon that a command's flags ask for."""

from __future__ import annotations

import argparse
from contextlib import closing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamtoon.pipeline.toon import Toon


def toon(args: argparse.Namespace, **options: Any) -> Toon:
    """``make_toon`` with --style, --engine and --threads, and ``options`` over them; compiling shows its progress."""
    from foundation.progress import Progress
    from streamtoon.workflows.make_toon import make_toon

    asked = {"style": args.style, "engine": args.engine, "threads": args.threads}
    with closing(Progress()) as progress:
        return make_toon(**asked | options, progress=progress)
