"""``streamtoon engine build|list|check|clear``: plans for an NVIDIA GPU, and what draws on this machine."""

from __future__ import annotations

import argparse
import json
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from foundation.cores import available_cores
from foundation.progress import Progress
from streamtoon.cli.arguments import COMMON, STYLE, Flag

if TYPE_CHECKING:
    import trt_build
    from engines import U8

NAME: Final = "engine"
HELP: Final = "compile plans for an NVIDIA GPU, list and check what draws"
FLAGS: Final = (
    *COMMON,
    Flag("action", "", "positional", choices=("build", "list", "check", "clear"), required=True),
    replace(STYLE, kind="positional"),
    Flag("precision", "to build (default: fp16)", default="fp16", choices=("fp32", "fp16", "int8")),
    Flag("crops", "folder of square pictures, or .npz, to check or calibrate on (default: portraits)"),
    Flag("cache", "folder of the plans (default: this user's cache)"),
    Flag("json", "print one JSON object", "switch"),
)


def run(args: argparse.Namespace) -> int:
    """Do it and print what came of it; 1 where an engine is refused. Raises UsageError and EngineError."""
    from streamtoon import style_folder
    from streamtoon.sources import portrait
    from streamtoon.workflows import engine_choice
    from trt_build import cache as plans
    from trt_build import check

    folder = Path(args.cache) if args.cache else plans.default()
    refused: list[Any] = []
    if args.action == "clear":
        count = plans.clear(folder)
        table, said = f"{folder}: {count} plans deleted", {"folder": str(folder), "deleted": count}
    elif args.action == "list":
        table, said = _listed(args.style, folder)
    else:
        source = engine_choice.source(style_folder.load(args.style))
        pictures = _pictures(Path(args.crops) if args.crops else None, source)
        if args.action == "build":
            made = _build(source, args.precision, folder, pictures)
            table, said = made.as_text(), made.as_json()
        else:
            with closing(Progress("checking")) as progress:
                results = check.check(
                    source, pictures, photo=portrait.picture(), folder=folder, threads=available_cores(),
                    progress=progress,
                )  # fmt: skip
            refused = check.refused(results)
            table, said = check.as_table(results), {"engines": [asdict(r) for r in results]}
    print(json.dumps(said) if args.json else table)
    return 1 if refused else 0


def _pictures(folder: Path | None, source: trt_build.Source) -> U8 | None:
    from trt_build import crops

    return None if folder is None else crops.read(folder, source)


def _build(source: trt_build.Source, precision: str, folder: Path, pictures: U8 | None) -> trt_build.Made:
    import trt_build
    from streamtoon.sources import portrait

    with closing(Progress()) as progress:
        return trt_build.plan(
            source, precision, folder=folder, photo=portrait.picture(), calibration=pictures, progress=progress
        )


def _listed(style: str, folder: Path) -> tuple[str, dict[str, Any]]:
    """Engines and plans, for people and for ``--json``."""
    from streamtoon import style_folder
    from streamtoon.workflows import engine_choice
    from trt_build import cache as plans

    found, kept = engine_choice.there(style_folder.load(style), available_cores()), plans.entries(folder)
    lines = [f"{e.engine:12} {e.device or 'not here: ' + e.why}" for e in found]
    lines += ["", f"plans in {folder}: {len(kept) or 'none'}"]
    rows = []
    for plan in kept:
        key = asdict(plan.key) if plan.key is not None else None
        what = plan.flaw or (f"{plan.key.card}, {plan.key.module} {plan.key.version}" if plan.key else "")
        lines.append(f"{plan.path.name:40} {plan.size / 1e6:6.1f} MB  {what}")
        rows.append({"plan": str(plan.path), "bytes": plan.size, "made": plan.made, "key": key, "flaw": plan.flaw})
    return "\n".join(lines), {"engines": [asdict(e) for e in found], "folder": str(folder), "plans": rows}
