"""``python -m train evaluate``: how good a style is.

A picture style on held-out photos (whole_pictures.py), a head style on held-out people (people.py) or against sketches
(sketch_pairs.py).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import engines.runtimes.openvino
from engines import Engine
from foundation import files
from foundation.errors import UsageError
from streamtoon.types import U8, Style
from train import teachers
from train.data.degrade_camera import FIXED_DEGRADATIONS
from train.evaluation import people, sketch_pairs, whole_pictures
from train.evaluation.drawn_faces import FaceJudge
from train.evaluation.people import Person
from train.evaluation.vgg import Vgg
from train.run import sample_sheet
from train.style_folder.load_style import load_style


@dataclass
class Args:
    """A style folder on held-out people or photos: a table, a JSON file and a sheet to look at."""

    style: Path
    """style folder that `export` wrote"""
    crops: Path | None = None
    """folder that `prepare` wrote: held-out people against the teacher, tone, landmarks, flicker"""
    pairs: Path | None = None
    """folder of photos/ and sketches/ with equal names: the style against the sketches, nothing is held out"""
    photos: tuple[Path, ...] = ()
    """folders of photos (searched through), for a picture style: those held out, by the split of their names"""
    out: Path | None = None
    """folder for evaluation.json and evaluation.png (with --crops or --photos)"""
    size: str = "200x250"
    """WIDTHxHEIGHT to compare --pairs at"""
    json: bool = False
    """print JSON instead of a table"""
    squeezenet: Path | None = None
    """weights of SqueezeNet 1.0 (.npz); without them feature distances are of a random network and called so"""
    vgg: Path | None = None
    """weights of VGG-16 (.npz) for the feature distance of --photos; without them it is left out"""
    parser: Path | None = None
    """ONNX file of a skin parser for --photos; without it skin is measured on the cheeks"""
    limit: int = 0
    """use at most so many of --photos, spread over all; 0 uses all"""
    teacher: str | None = None
    """module of train.teachers that the style learned from; by default ink, or with --photos the style's name"""
    ink: tuple[int, int, int] = (0, 0, 0)
    """RGB of the darkest stroke, as given to `export`"""
    paper: tuple[int, int, int] = (255, 255, 255)
    """RGB of the empty sheet, as given to `export`"""
    split: str = "test"
    """people to use: test or val"""
    groups: Path | None = None
    """JSON file, {"name of a group": ["name of a photo", ...]}: what survives drawing is told of each, too"""


def evaluate(args: Args) -> dict[str, Any]:
    """Measure, print a table or JSON, write OUT/evaluation.json and, of people, OUT/evaluation.png."""
    if sum(map(bool, (args.crops, args.pairs, args.photos))) != 1:
        raise UsageError(
            "give --photos (a picture style), --crops (people) or --pairs (photos and sketches), one of them"
        )
    style = load_style(args.style)
    if style.whole_picture != bool(args.photos):
        kind = "pictures; give --photos" if style.whole_picture else "heads; give --crops or --pairs"
        raise UsageError(f"{args.style} draws {kind}")
    engine = engines.runtimes.openvino.load(style.onnx, precision="f32")
    try:
        if args.pairs is not None:
            figures = sketch_pairs.compare(args.pairs, args.size, engine, style.size, args.squeezenet)
            text = sketch_pairs.table(figures)
            if args.out is not None:
                files.write_text(args.out / "evaluation.json", json.dumps(figures, indent=1))
        elif args.photos:
            figures = on_photos(args, engine, style)
            text = whole_pictures.table(figures)
        else:
            figures = on_people(args, engine, style)
            text = people_table(figures)
    finally:
        engine.close()
    print(json.dumps(figures) if args.json else text)
    return figures


def on_people(args: Args, engine: Engine, style: Style) -> dict[str, Any]:
    """The figures of --crops, written with their sheet to OUT."""
    if args.out is None:
        raise UsageError("--crops needs --out, a folder for the sheet and the figures")
    draw = teachers.load(args.teacher or "ink")
    persons = people.read(args.crops or Path(), args.split)
    candidate = people.Candidate(engine, style.margin, args.ink, args.paper)
    found, rows = people.figures(candidate, persons, grouped(args, persons), draw)
    return written(args.out, {"people": len(persons), "split": args.split} | found, rows)


def on_photos(args: Args, engine: Engine, style: Style) -> dict[str, Any]:
    """The figures of --photos, written with their sheet to OUT."""
    if args.out is None:
        raise UsageError("--photos needs --out, a folder for the sheet and the figures")
    taught = teachers.load(args.teacher or style.name, whole_picture=True)
    held = whole_pictures.held_out(args.photos, args.split, args.limit)
    vgg = None if args.vgg is None else Vgg(args.vgg)
    with FaceJudge(args.parser) as judge:
        draw = whole_pictures.drawer(engine, style.scale)
        found, rows = whole_pictures.figures(held, style.lines, draw, lambda x: taught(x, None, None), judge, vgg=vgg)
    return written(args.out, {"photos": len(held), "split": args.split} | found, rows)


def written(out: Path, figures: dict[str, Any], rows: list[U8]) -> dict[str, Any]:
    """The figures, when they and the sheet are in the folder."""
    files.write_text(out / "evaluation.json", json.dumps(figures, indent=1))
    sample_sheet.write_png(out / "evaluation.png", sample_sheet.tile(rows))
    return figures


def grouped(args: Args, persons: list[Person]) -> dict[str, list[int]]:
    """Which people are in each group of --groups, and the fifth whose faces are darkest."""
    found = {"darkest faces": people.darkest_fifth(persons)}
    if args.groups is None:
        return found
    try:
        named = {str(k): {str(n) for n in v} for k, v in json.loads(args.groups.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise UsageError(f'{args.groups} is no JSON of groups ({error}); it is {{"group": ["photo", ...]}}') from None
    for group, names in named.items():
        found[group] = [i for i, p in enumerate(persons) if p.name in names]
        if not found[group]:
            raise UsageError(f"nobody of group {group!r} is among the {args.split} people of {args.crops}")
    return found


def people_table(result: dict[str, Any]) -> str:
    """The figures as Markdown."""
    lines = ["| input | drawn by | PSNR dB | SSIM | MS-SSIM | matte IoU |", "|---|---|---|---|---|---|"]
    for kind in FIXED_DEGRADATIONS:
        for who, s in result[kind].items():
            if np.isinf(s["psnr"]):  # against itself
                continue
            iou = f"{s['matte_iou']:.3f}" if "matte_iou" in s else ""
            lines.append(f"| {kind} | {who} | {s['psnr']:.2f} | {s['ssim']:.3f} | {s['ms_ssim']:.3f} | {iou} |")
    lines += [
        "",
        (
            f"Slope of drawn face tone against photographed face luma, {result['people']} people: "
            f"{result['tone_slope']:.2f} (teacher {result['tone_slope_teacher']:.2f}); "
            f"with synthetic complexions: {result['tone_slope_synthetic']:.2f}.\n"
            f"Flicker {result['flicker']:.2f} levels."
        ),
        "",
        "| people | how many | faces found again | eyes and mouth off by | chins darker than photographed |",
        "|---|---|---|---|---|",
    ]
    for name, g in result["groups"].items():
        share = f"{100 * g['landmarks_found']:.0f} % | {g['landmark_error']:.3f} | {100 * g['chin_darkens']:.0f} %"
        lines.append(f"| {name} | {g['people']} | {share} |")
    lines += ["", "Off by: in parts of the distance between the eyes."]
    return "\n".join(lines)
