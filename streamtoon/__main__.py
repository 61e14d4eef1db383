"""``python -m streamtoon`` is ``streamtoon``."""

import sys

from streamtoon.cli import main

sys.exit(main())
