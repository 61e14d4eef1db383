"""What is wrong with a run, told from its history: underfit, good, overfit, collapsed or leaking, and what to do.

``underfit``: it is bad on what it was trained on. ``overfit``: good there, bad on held-out pictures. ``collapsed``: its
drawings are all alike. ``leaking``: it comes back from drawings to photos better than drawings allow on what it was
trained on and held out alike, or its drawings are copies of drawings it was trained on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from foundation.errors import UsageError

ADVICE_BY_FINDING: Final = {
    "underfit": "train longer or with a higher --lr; if the curves are flat, take a larger --net",
    "good": "go on only if the held-out curve still improves; export best.safetensors",
    "overfit": "export best.safetensors, from before the curves parted; get more pictures or views, or a smaller --net",
    "collapsed": "lower the discriminators' rate (--lr-judges), use --preset compact, raise --identity; start anew",
    "leaking": "copies: get more drawings, use --preset compact; a hidden code: raise --noise, lower --cycle-end",
}


@dataclass
class Args:
    """A run's folder -> one of underfit, good, overfit, collapsed, leaking, with the reason and what to do."""

    run: Path
    """folder that `paired`, `pix2pix` or `cyclegan` wrote"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One word and why."""

    word: str
    why: str


def classify(history: list[dict[str, float]]) -> Finding:
    """From the rows of history.json, first to last."""
    first, last = history[0], history[-1]
    if "variety" in last and last["variety"] < 0.2:
        return Finding("collapsed", f"drawings differ {last['variety']:.2f} times as much as real ones do")
    if "copying" in last and last["copying"] < 0.4:
        why = f"drawings are {last['copying']:.2f} times as far from the nearest one trained on as new drawings are"
        return Finding("leaking", why)
    if "cycle_val" in last and last["cycle_val"] < 0.02 and last["cycle_train"] < 0.02:
        return Finding("leaking", f"photos come back to {last['cycle_val']:.3f}: no drawing shows that much")
    if "l1_train" in last:
        train, val = last["l1_train"], last["l1_val"]
        start, best = first["l1_train"], min(row["l1_val"] for row in history)
        name = "L1"
    elif "ms_ssim_train" in last:
        train, val = 1 - last["ms_ssim_train"], 1 - last["ms_ssim"]
        start, best = 1 - first["ms_ssim_train"], min(1 - row["ms_ssim"] for row in history)
        name = "1 - MS-SSIM"
    else:
        train, val = last["cycle_train"], last["cycle_val"]
        start, best = first["cycle_train"], min(row["cycle_val"] for row in history)
        name = "the way back's error"
    strays = "kernel" in last and "ms_ssim_train" in last  # `engrave` leaves its teacher on purpose
    figures = f"{name}: {train:.3f} trained on, {val:.3f} held out, {best:.3f} at best"
    if val > 1.3 * train + 0.02 and (val > 1.1 * best or train < 0.6 * val):
        return Finding("overfit", figures)
    if train > 0.3 or (train > 0.15 and train > 0.6 * start and not strays):
        return Finding("underfit", figures)
    return Finding("good", figures)


def diagnose(args: Args) -> Finding:
    """Read OUT/history.json, print the finding. Raises UsageError where there is none or it is too short."""
    file = args.run / "history.json"
    try:
        history = json.loads(file.read_text(encoding="utf-8"))
        finding = classify(history)
    except OSError:
        raise UsageError(f"{file} is not there; give a folder that `paired` or `cyclegan` wrote") from None
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise UsageError(f"{file} holds no history of a run ({error}); train until the first validation") from None
    print(f"{finding.word}: {finding.why}. What to do: {ADVICE_BY_FINDING[finding.word]}.")
    return finding
