"""``streamtoon models``: the face models, listed or fetched."""

from __future__ import annotations

import argparse
from typing import Final

from streamtoon.cli.arguments import COMMON, Flag

NAME: Final = "models"
HELP: Final = "the face models: list them, or fetch them all now"
FLAGS: Final = (
    *COMMON,
    Flag("action", "", "positional", choices=("list", "fetch"), required=True),
)


def run(args: argparse.Namespace) -> int:
    """Print a line for each."""
    from streamtoon.pipeline import face_models

    for name, model in face_models.MODELS.items():
        if args.action == "fetch":
            face_models.path(name)
        print(f"{face_models.state(name):10}  {name:44}  {model.purpose} ({model.licence})")
    return 0
