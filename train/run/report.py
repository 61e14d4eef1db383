"""A training run on one page: curves, sample sheets, settings. One HTML file that needs nothing else to be read."""

from __future__ import annotations

import base64
import html
import math
from pathlib import Path
from typing import Any, Final

import cv2

from foundation import files
from train.data.photo_files import read_rgb

MAX_SHEETS: Final = 24  # at most so many in one report, spread over the run, first and last among them
PAGE_CSS: Final = (
    "body{font:15px system-ui,sans-serif;margin:2em auto;max-width:70em;padding:0 1em;color:#222}"
    "svg{width:21em;margin:.5em;border:1px solid #ddd}img{max-width:100%}td{padding:.1em 1em .1em 0}"
    "summary{cursor:pointer;padding:.3em 0}"
)


def curve(name: str, xs: list[float], ys: list[float]) -> str:
    """A line through the points as SVG, lowest and highest value written beside it."""
    low, high = min(ys), max(ys)
    span, end = (high - low) or 1.0, max(xs) or 1.0
    points = " ".join(
        f"{40 + 250 * x / end:.1f},{150 - 120 * (y - low) / span:.1f}" for x, y in zip(xs, ys, strict=True)
    )
    return (
        f'<svg viewBox="0 0 300 170"><text x="40" y="16" font-size="13">{html.escape(name)}: {ys[-1]:.4g}</text>'
        f'<polyline points="{points}" fill="none" stroke="#06c" stroke-width="1.5"/>'
        f'<text x="2" y="34" font-size="9">{high:.3g}</text><text x="2" y="152" font-size="9">{low:.3g}</text>'
        f'<text x="290" y="166" font-size="9" text-anchor="end">step {end:.0f}</text></svg>'
    )


def image(file: Path) -> str:
    """A sheet as a WebP inside the page."""
    picture = read_rgb(file)
    if picture is None:
        return ""
    data = cv2.imencode(".webp", picture[:, :, ::-1], [cv2.IMWRITE_WEBP_QUALITY, 80])[1].tobytes()
    return f'<img alt="{file.stem}" src="data:image/webp;base64,{base64.b64encode(data).decode()}">'


def write(out: Path, settings: dict[str, Any], history: list[dict[str, float]]) -> None:
    """OUT/report.html from what the run has said so far and OUT/sheets."""
    names = [n for n in (history[-1] if history else {}) if n not in {"step", "minutes"}]
    curves = []
    for name in names:
        points = [(row["step"], row[name]) for row in history if math.isfinite(row.get(name, math.nan))]
        if points:
            curves.append(curve(name, [p[0] for p in points], [p[1] for p in points]))
    found = sorted((out / "sheets").glob("*.png"))
    picks = sorted({round(i * (len(found) - 1) / max(1, MAX_SHEETS - 1)) for i in range(MAX_SHEETS)}) if found else []
    sheets = [
        f"<details{' open' if i == picks[-1] else ''}><summary>step {int(found[i].stem)}</summary>"
        f"{image(found[i])}</details>"
        for i in reversed(picks)
    ]
    rows = "".join(f"<tr><td>{html.escape(k)}<td>{html.escape(str(v))}" for k, v in settings.items())
    last = (
        f"step {history[-1]['step']:.0f}, {history[-1]['minutes']:.1f} minutes" if history else "nothing measured yet"
    )
    files.write_text(
        out / "report.html",
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(out.name)}</title>'
        f"<style>{PAGE_CSS}</style>"
        f"<h1>{html.escape(out.name)}</h1><p>{last}</p><h2>Curves</h2>{''.join(curves)}"
        f"<h2>Held-out samples</h2>{''.join(sheets)}<h2>Settings</h2><table>{rows}</table></html>\n",
    )
