"""``streamtoon engine build|list|check|clear``: plans for an NVIDIA GPU, and what draws on this machine."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import trt_build
from engines import U8
from foundation.progress import Progress
from streamtoon import style_folder
from streamtoon.workflows import engine_choice
from trt_build import cache as plans
from trt_build import check, crops


def run(action: str, style: str, precision: str, *, json: bool, crops: Path | None, cache: Path | None) -> int:
    """Do it and print what came of it; the exit code, 1 where an engine is refused.

    crops: pictures of one's own to check or calibrate on. cache: the plans' folder. Raises UsageError and EngineError.
    """
    folder = cache or plans.default()
    refused: list[Any] = []
    if action == "clear":
        count = plans.clear(folder)
        table, said = f"{folder}: {count} plans deleted", {"folder": str(folder), "deleted": count}
    elif action == "list":
        table, said = _listed(style, folder)
    else:
        source = trt_build.read(style_folder.load(style).folder)
        pictures = _pictures(crops, source.size)
        if action == "build":
            made = _build(source, precision, folder, pictures)
            table, said = made.as_text(), made.as_json()
        else:
            with closing(Progress("checking")) as progress:
                results = check.check(source, pictures, folder=folder, threads=_cores(), progress=progress)
            refused = check.refused(results)
            table, said = check.as_table(results), {"engines": [asdict(r) for r in results]}
    print(_json(said) if json else table)
    return 1 if refused else 0


def _json(said: object) -> str:
    import json

    return json.dumps(said)


def _pictures(folder: Path | None, size: int) -> U8 | None:
    return None if folder is None else crops.read(folder, size)


def _build(source: trt_build.Source, precision: str, folder: Path, pictures: U8 | None) -> trt_build.Made:
    with closing(Progress()) as progress:
        return trt_build.plan(source, precision, folder=folder, calibration=pictures, progress=progress)


def _listed(style: str, folder: Path) -> tuple[str, dict[str, Any]]:
    """Engines and plans, for people and for ``--json``."""
    found, kept = engine_choice.there(style_folder.load(style), _cores()), plans.entries(folder)
    lines = [f"{e.engine:12} {e.device or 'not here: ' + e.why}" for e in found]
    lines += ["", f"plans in {folder}: {len(kept) or 'none'}"]
    rows = []
    for plan in kept:
        key = asdict(plan.key) if plan.key is not None else None
        what = plan.flaw or (f"{plan.key.card}, {plan.key.module} {plan.key.version}" if plan.key else "")
        lines.append(f"{plan.path.name:40} {plan.size / 1e6:6.1f} MB  {what}")
        rows.append({"plan": str(plan.path), "bytes": plan.size, "made": plan.made, "key": key, "flaw": plan.flaw})
    return "\n".join(lines), {"engines": [asdict(e) for e in found], "folder": str(folder), "plans": rows}


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
