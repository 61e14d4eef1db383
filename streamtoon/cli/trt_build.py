"""The command ``trt_build``: plans and the parity gate for styles by name or folder, and for ONNX files."""

from __future__ import annotations

import sys

from streamtoon.sources import portrait
from streamtoon.workflows.engine_choice import named_source
from trt_build.__main__ import main as build


def main() -> int:
    """The exit code, as ``trt_build.__main__.main`` gives it."""
    return build(find=named_source, photo=portrait.picture)


if __name__ == "__main__":
    sys.exit(main())
