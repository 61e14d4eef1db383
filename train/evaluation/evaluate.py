"""A style on held-out people: how near to the teacher, on good and bad pictures, and whether complexion is kept.

The teacher's drawing of the clean crop is the target. Beside the network stands the teacher itself run on the degraded
crop (with the clean crop's mask and contours, which flatters it): where the network is nearer, it is the steadier.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm  # type: ignore[import-untyped]

import engines.runtimes.openvino
from engines import MAX_BATCH, Engine
from streamtoon.types import U8
from train.data import prepare
from train.data.augment_person import complexion, skin_area
from train.data.degrade_camera import KINDS, fixed, to_u8, to_unit
from train.data.face_contours import Contours
from train.data.pairs import matte_target
from train.data.prepare import EDGE, middle
from train.evaluation import face_preservation, metrics, sketch_pairs
from train.methods import sample_sheet
from train.methods.checkpoint import BadInput, write_text
from train.teachers.ink import polygon

GAINS = (0.4, 0.55, 0.75, 1.0)  # synthetic complexions, as parts of the photographed lightness


@dataclass
class Args:
    """A style folder on the held-out people of a prepared folder: a table, a JSON file and a sheet to look at."""

    style: Path
    """style folder that `export` wrote"""
    crops: Path | None = None
    """folder that `prepare` wrote: held-out people against the teacher, tone, landmarks, flicker"""
    pairs: Path | None = None
    """folder of photos/ and sketches/ with equal names: the style against the sketches, nothing is held out"""
    out: Path | None = None
    """folder for evaluation.json and evaluation.png (with --crops)"""
    size: str = "200x250"
    """WIDTHxHEIGHT to compare --pairs at"""
    json: bool = False
    """print JSON instead of a table"""
    squeezenet: Path | None = None
    """weights of SqueezeNet 1.0 (.npz); without them feature distances are of a random network and called so"""
    teacher: str = "ink"
    """module of train.teachers that the style learned from"""
    ink: tuple[int, int, int] = (0, 0, 0)
    """RGB of the darkest stroke, as given to `export`"""
    paper: tuple[int, int, int] = (255, 255, 255)
    """RGB of the empty sheet, as given to `export`"""
    split: str = "test"
    """people to use: test or val"""
    groups: Path | None = None
    """JSON file, {"name of a group": ["name of a photo", ...]}: what survives drawing is told of each, too"""


@dataclass
class Person:
    """One held-out person's live crop and what is known about it."""

    name: str
    image: U8
    mask: U8
    contours: Contours


def people(crops: Path, split: str) -> list[Person]:
    """The people of a split whose face contours are known."""
    found = []
    for item in prepare.load(crops):
        shapes = item.shapes()
        if item.split != split or shapes is None:
            continue
        canvas = prepare.read_rgb(crops / "crops" / f"{item.name}.png")
        mask = cv2.imread(str(crops / "masks" / f"{item.name}.png"), cv2.IMREAD_GRAYSCALE)
        if canvas is not None and mask is not None:
            contours = {k: (v - EDGE).astype(np.float32) for k, v in shapes.items()}
            found.append(Person(item.name, middle(canvas), middle(np.asarray(mask, np.uint8)), contours))
    if not found:
        raise BadInput(f"{crops} holds no people of the {split} split")
    return found


def in_batches(engine: Engine, images: list[U8]) -> U8:
    """What the style draws, (N, h, w, 4) uint8."""
    parts = [np.stack(images[i : i + MAX_BATCH]) for i in range(0, len(images), MAX_BATCH)]
    return np.concatenate([engine(part) for part in parts])


def grey_of(drawn: U8, args: Args) -> U8:
    """(N, h, w, 4) RGBA -> (N, h, w) uint8: 0 where the style's ink is, 255 where its paper."""
    grey = (drawn[..., 0].astype(np.float32) - args.ink[0]) * (255 / (args.paper[0] - args.ink[0]))
    return np.asarray(np.clip(grey + 0.5, 0, 255), np.uint8)


def face_tones(pictures: U8 | list[U8], persons: list[Person]) -> Tensor:
    """Mean of each picture's face area, 0..1: luma (BT.601) of RGB, the value itself of grey."""
    tones = []
    for picture, person in zip(pictures, persons, strict=True):
        grey = picture @ np.array([0.299, 0.587, 0.114]) if picture.ndim == 3 else picture
        area = polygon(picture.shape, person.contours["oval"], 0)
        tones.append(float((grey * area).sum() / area.sum()) / 255)
    return torch.tensor(tones)


def darker(person: Person, gain: float) -> U8:
    """The person with skin ``gain`` times as light, all else unchanged."""
    skin = skin_area(person.image, person.mask, person.contours)[..., None]
    return to_u8(complexion(to_unit(person.image), skin, gain))


def _unit(pictures: U8 | list[U8]) -> Tensor:
    return torch.from_numpy(np.stack(list(pictures))[:, None]).float() / 255


def scores(out: U8 | list[U8], target: Tensor) -> dict[str, float]:
    """PSNR, SSIM and MS-SSIM of (N, h, w) uint8 drawings."""
    drawn = _unit(out)
    return {
        "psnr": metrics.psnr(drawn, target),
        "ssim": metrics.ssim(drawn, target),
        "ms_ssim": float(metrics.similarity(drawn, target)),
    }


def survival(persons: list[Person], on_paper: U8, margin: float) -> dict[str, float]:
    """What survives of these people in their drawings (N, h, w, 3): see survive.py."""
    beards = [face_preservation.bearded(p.image, d, p.contours) for p, d in zip(persons, on_paper, strict=True)]
    agreement = face_preservation.landmark_agreement([p.image for p in persons], on_paper, margin)
    return {"people": len(persons)} | agreement | {"chin_darkens": float(np.mean(beards))}


def grouped(args: Args, persons: list[Person]) -> dict[str, list[int]]:
    """Which people are in each group of --groups, and the fifth whose faces are darkest."""
    luma = face_tones([p.image for p in persons], persons)
    found = {"darkest faces": luma.argsort()[: max(1, len(persons) // 5)].tolist()}
    if args.groups is None:
        return found
    try:
        named = {str(k): {str(n) for n in v} for k, v in json.loads(args.groups.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise BadInput(f'{args.groups} is no JSON of groups ({error}); it is {{"group": ["photo", ...]}}') from None
    for group, names in named.items():
        found[group] = [i for i, p in enumerate(persons) if p.name in names]
        if not found[group]:
            raise BadInput(f"nobody of group {group!r} is among the {args.split} people of {args.crops}")
    return found


def evaluate(args: Args) -> dict[str, Any]:
    """Measure, print a table or JSON, write OUT/evaluation.json and OUT/evaluation.png."""
    if (args.crops is None) == (args.pairs is None):
        raise BadInput("give --crops (people, against the teacher) or --pairs (photos and sketches), one of them")
    files = [f for f in sorted(args.style.glob("*.onnx")) if ".fp16." not in f.name]
    if not files:
        raise BadInput(f"{args.style} holds no ONNX file; run `python -m train export` first")
    engine = engines.runtimes.openvino.load(files[0], precision="f32")
    if args.pairs is not None or args.crops is None:
        figures = sketch_pairs.compare(args.pairs or Path(), args.size, args.style, engine, args.squeezenet)
        if args.out is not None:
            write_text(args.out / "evaluation.json", json.dumps(figures, indent=1))
        print(json.dumps(figures) if args.json else sketch_pairs.table(figures))
        return figures
    if args.out is None:
        raise BadInput("--crops needs --out, a folder for the sheet and the figures")
    draw = import_module(f"train.teachers.{args.teacher}").draw
    persons = people(args.crops, args.split)
    groups = grouped(args, persons)
    target = _unit([draw(p.image, p.mask, p.contours) for p in tqdm(persons, "teacher")])
    result: dict[str, Any] = {"people": len(persons), "split": args.split}
    rows, own = [], np.empty(0, np.uint8)
    for kind in KINDS:  # "clean" comes first
        inputs = [fixed(kind, p.image, i) for i, p in enumerate(persons)]
        student = in_batches(engine, inputs)
        teacher = [draw(x, p.mask, p.contours) for x, p in zip(tqdm(inputs, kind), persons, strict=True)]
        masks = _unit([matte_target(p.mask) for p in persons])
        matte = {"matte_iou": metrics.overlap(_unit(student[..., 3]), masks)}
        drawn = grey_of(student, args)
        own = drawn if kind == "clean" else own
        result[kind] = {
            "net": scores(drawn, target) | matte,
            "net, against its own clean drawing": scores(drawn, _unit(own)),
            "teacher": scores(teacher, target),
        }
        teacher_rgb = np.repeat(np.stack(teacher[::8])[..., None], 3, axis=3)
        rows += [np.stack(inputs[::8]), sample_sheet.on_paper(student[::8]), teacher_rgb]
        if kind == "clean":
            luma = face_tones([p.image for p in persons], persons)
            result["tone_slope"] = metrics.slope(luma, face_tones(drawn, persons))
            result["tone_slope_teacher"] = metrics.slope(luma, face_tones(teacher, persons))
    made = [[darker(p, g) for p in persons] for g in GAINS]
    lumas = torch.cat([face_tones(m, persons) for m in made])
    tones = torch.cat([face_tones(grey_of(in_batches(engine, m), args), persons) for m in made])
    result["tone_slope_synthetic"] = metrics.slope(lumas, tones)
    clean = [p.image for p in persons]
    margin = sketch_pairs.card(args.style).get("margin", 2.2)
    on_paper = sample_sheet.on_paper(in_batches(engine, clean))
    dim = sample_sheet.on_paper(in_batches(engine, [fixed("dim", p, i) for i, p in enumerate(clean)]))
    result["groups"] = {
        "everybody": survival(persons, on_paper, margin),
        "dim light": survival(persons, dim, margin),
        **{k: survival([persons[i] for i in v], on_paper[v], margin) for k, v in groups.items()},
    }
    result["flicker"] = face_preservation.flicker(
        lambda x: sample_sheet.on_paper(in_batches(engine, list(x))), clean[:16]
    )
    print(json.dumps(result) if args.json else table(result))
    write_text(args.out / "evaluation.json", json.dumps(result, indent=1))
    sample_sheet.write_png(args.out / "evaluation.png", sample_sheet.tile(rows))
    return result


def table(result: dict[str, Any]) -> str:
    """The figures as Markdown."""
    lines = ["| input | drawn by | PSNR dB | SSIM | MS-SSIM | matte IoU |", "|---|---|---|---|---|---|"]
    for kind in KINDS:
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
