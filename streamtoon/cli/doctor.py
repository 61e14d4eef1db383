"""``streamtoon doctor``: what this machine has, what it lacks, what fixes it."""

from __future__ import annotations

import argparse
import json
from typing import Final

from streamtoon.cli.arguments import COMMON, Flag

NAME: Final = "doctor"
HELP: Final = "look at this machine: what live has, what it lacks and what fixes it"
FLAGS: Final = (*COMMON, Flag("json", "print one JSON object", "switch"))


def run(args: argparse.Namespace) -> int:
    """Print what was found; 1 where live cannot work."""
    from streamtoon.doctor import report

    findings = report.examine()
    print(json.dumps(report.as_json(findings)) if args.json else report.as_table(findings))
    return 0 if report.works(findings) else 1
