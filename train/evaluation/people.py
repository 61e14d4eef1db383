"""A style on held-out people: how near to the teacher, on good and bad pictures, and whether complexion is kept.

The teacher's drawing of the clean crop is the target. Beside the network stands the teacher itself run on the degraded
crop (with the clean crop's mask and contours, which flatters it): where the network is nearer, it is the steadier.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm  # type: ignore[import-untyped]

from engines import MAX_BATCH, Engine
from foundation.errors import UsageError
from streamtoon.types import U8
from train.data import photo_files, prepare
from train.data.augment_person import complexion, skin_area
from train.data.degrade_camera import FIXED_DEGRADATIONS, fixed, to_u8, to_unit
from train.data.pairs import matte_target
from train.data.prepare import EDGE_PX, middle
from train.evaluation import face_preservation, metrics
from train.run import sample_sheet
from train.shapes import Contours, polygon
from train.teachers import Draw

Colour = tuple[int, int, int]
COMPLEXION_GAINS: Final = (0.4, 0.55, 0.75, 1.0)  # synthetic complexions, as parts of the photographed lightness
SHOWN_EVERY: Final = 8  # of so many people one is on the sheet


@dataclass(frozen=True, slots=True)
class Person:
    """One held-out person's live crop (256, 256, 3), person mask (256, 256) and face contours in crop px."""

    name: str
    image: U8
    mask: U8
    contours: Contours


def read(crops: Path, split: str) -> list[Person]:
    """The people of a split whose face contours are known. Raises UsageError where there are none."""
    found = []
    for item in prepare.load(crops):
        shapes = item.shapes()
        if item.split != split or shapes is None:
            continue
        canvas = photo_files.read_rgb(crops / "crops" / f"{item.name}.png")
        mask = cv2.imread(str(crops / "masks" / f"{item.name}.png"), cv2.IMREAD_GRAYSCALE)
        if canvas is not None and mask is not None:
            contours = {k: (v - EDGE_PX).astype(np.float32) for k, v in shapes.items()}
            found.append(Person(item.name, middle(canvas), middle(np.asarray(mask, np.uint8)), contours))
    if not found:
        raise UsageError(f"{crops} holds no people of the {split} split")
    return found


def in_batches(engine: Engine, images: list[U8]) -> U8:
    """What the style draws, (N, h, w, 4) uint8."""
    parts = [np.stack(images[i : i + MAX_BATCH]) for i in range(0, len(images), MAX_BATCH)]
    return np.concatenate([engine(part) for part in parts])


def grey_of(drawn: U8, ink: Colour, paper: Colour) -> U8:
    """(N, h, w, 4) RGBA -> (N, h, w) uint8: 0 where the style's ink is, 255 where its paper.

    It is read off the channel in which the two differ most. Raises UsageError where they do not differ.
    """
    spans = np.subtract(paper, ink)
    channel = int(np.abs(spans).argmax())
    if not spans[channel]:
        raise UsageError(f"--ink and --paper are both {ink}; give the two colours that `export` was given")
    grey = (drawn[..., channel].astype(np.float32) - ink[channel]) * (255 / int(spans[channel]))
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


def preserved(persons: list[Person], on_paper: U8, margin: float) -> dict[str, float]:
    """Landmarks found again and chins darkened in these people's drawings (N, h, w, 3): see face_preservation.py."""
    beards = [face_preservation.bearded(p.image, d, p.contours) for p, d in zip(persons, on_paper, strict=True)]
    agreement = face_preservation.landmark_agreement([p.image for p in persons], on_paper, margin)
    return {"people": len(persons)} | agreement | {"chin_darkens": float(np.mean(beards))}


def darkest_fifth(persons: list[Person]) -> list[int]:
    """The places of the people whose faces are darkest, one at least."""
    luma = face_tones([p.image for p in persons], persons)
    darkest: list[int] = luma.argsort()[: max(1, len(persons) // 5)].tolist()
    return darkest


@dataclass(frozen=True, slots=True)
class Candidate:
    """The style that is judged: its engine, the side of its crop in face sizes, its colours."""

    engine: Engine
    margin: float
    ink: Colour
    paper: Colour

    def grey(self, images: list[U8]) -> U8:
        """(N, h, w) uint8 drawings of (N, h, w, 3) crops: 0 ink, 255 paper."""
        return grey_of(in_batches(self.engine, images), self.ink, self.paper)

    def on_white(self, images: list[U8]) -> U8:
        """(N, h, w, 3) uint8 drawings on white paper."""
        return sample_sheet.on_paper(in_batches(self.engine, images))


def figures(
    candidate: Candidate, persons: list[Person], groups: dict[str, list[int]], draw: Draw
) -> tuple[dict[str, Any], list[U8]]:
    """Every figure, and the rows of a sheet to look at: input, drawing on paper and teacher of each degradation.

    ``groups``: places in ``persons`` by the name of the group. ``draw``: the teacher.
    """
    found, rows = _against_teacher(candidate, persons, draw)
    tones: dict[str, list[Tensor]] = {"photographed": [], "drawn": []}
    for gain in COMPLEXION_GAINS:
        made = [darker(p, gain) for p in persons]
        tones["photographed"].append(face_tones(made, persons))
        tones["drawn"].append(face_tones(candidate.grey(made), persons))
    found["tone_slope_synthetic"] = metrics.slope(torch.cat(tones["photographed"]), torch.cat(tones["drawn"]))
    clean = [p.image for p in persons]
    drawn, dim = candidate.on_white(clean), candidate.on_white([fixed("dim", p, i) for i, p in enumerate(clean)])
    found["groups"] = {
        "everybody": preserved(persons, drawn, candidate.margin),
        "dim light": preserved(persons, dim, candidate.margin),
        **{k: preserved([persons[i] for i in v], drawn[v], candidate.margin) for k, v in groups.items()},
    }
    found["flicker"] = face_preservation.flicker(lambda x: candidate.on_white(list(x)), clean[:16])
    return found, rows


def _against_teacher(candidate: Candidate, persons: list[Person], draw: Draw) -> tuple[dict[str, Any], list[U8]]:
    """Network and teacher against the teacher's clean drawings, by degradation; slopes of tone; rows of the sheet."""
    target = _unit([draw(p.image, p.mask, p.contours) for p in tqdm(persons, "teacher")])
    masks = _unit([matte_target(p.mask) for p in persons])
    found: dict[str, Any] = {}
    rows: list[U8] = []
    own: U8 | None = None  # the network's clean drawings
    for kind in FIXED_DEGRADATIONS:  # "clean" comes first
        inputs = [fixed(kind, p.image, i) for i, p in enumerate(persons)]
        student = in_batches(candidate.engine, inputs)
        teacher = [draw(x, p.mask, p.contours) for x, p in zip(tqdm(inputs, kind), persons, strict=True)]
        drawn = grey_of(student, candidate.ink, candidate.paper)
        own = drawn if own is None else own
        found[kind] = {
            "net": scores(drawn, target) | {"matte_iou": metrics.overlap(_unit(student[..., 3]), masks)},
            "net, against its own clean drawing": scores(drawn, _unit(own)),
            "teacher": scores(teacher, target),
        }
        rows += _rows(inputs, student, teacher)
        if kind == "clean":
            luma = face_tones([p.image for p in persons], persons)
            found["tone_slope"] = metrics.slope(luma, face_tones(drawn, persons))
            found["tone_slope_teacher"] = metrics.slope(luma, face_tones(teacher, persons))
    return found, rows


def _rows(inputs: list[U8], student: U8, teacher: list[U8]) -> list[U8]:
    grey = np.repeat(np.stack(teacher[::SHOWN_EVERY])[..., None], 3, axis=3)
    return [np.stack(inputs[::SHOWN_EVERY]), sample_sheet.on_paper(student[::SHOWN_EVERY]), grey]
