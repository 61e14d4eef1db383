"""A picture style on held-out photos: how near to its teacher, what of faces and complexion is kept, how steady it is.

Photos are drawn at the size at which films are (pipeline/picture.py), by the exported network. The teacher's drawing of
the clean photo at that size is the target. Beside the network stands the teacher itself on the degraded photo.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm  # type: ignore[import-untyped]

from engines import Engine
from foundation.errors import UsageError
from streamtoon.pipeline import whole_picture
from streamtoon.pipeline.picture import drawn_size, frame_planes, network_input, resized
from streamtoon.types import U8, Frame
from train.data import photo_files
from train.data.degrade_camera import FIXED_DEGRADATIONS, fixed
from train.evaluation import drawn_faces, features, metrics, steadiness
from train.evaluation.drawn_faces import FaceJudge, Kept, Seen
from train.evaluation.vgg import Vgg

Draw = Callable[[U8], U8]  # (h, w, 3) uint8 RGB -> its drawing, (h, w, 3) uint8 RGB

SHOWN: Final = 16  # photos on the sheet, at most
SHOWN_PX: Final = 448  # side of what is shown of each, at 1:1, around its largest face
MOVED: Final = 8  # photos whose films steadiness is measured on, at most
LUMA: Final = torch.tensor((0.299, 0.587, 0.114)).view(1, 3, 1, 1)  # BT.601's


def held_out(folders: Iterable[Path], split: str, limit: int) -> list[Path]:
    """The photos of a split by name, ``limit`` of them spread over all, or all for 0. Raises UsageError without one."""
    photos = [file for folder in folders for file in photo_files.found(folder)]
    held = [file for file in photos if photo_files.split_of(file.name) == split]
    if not held:
        raise UsageError(f"none of the {len(photos)} photos is of the {split} split, which goes by their names")
    return spread(held, limit or len(held))


def spread(items: list[Path], most: int) -> list[Path]:
    """At most ``most`` files, evenly out of all."""
    count = min(most, len(items))
    return [items[i * len(items) // count] for i in range(count)]


def working(file: Path, lines: int) -> U8:
    """A photo at the size in which a style with ``lines`` draws it, (h, w, 3) uint8 RGB. Raises UsageError."""
    photo = photo_files.read_rgb(file)
    if photo is None:
        raise UsageError(f"{file} cannot be read as a picture; remove it")
    return resized(photo, drawn_size(photo.shape[1], photo.shape[0], lines))


def drawer(engine: Engine, scale: int) -> Draw:
    """The drawing of pictures at their working size, as the application makes it of a still."""

    def draw(picture: U8) -> U8:
        frame = Frame((picture,), "rgb24", 0, Fraction(0), still=True)
        small = network_input(frame, (frame.width // scale, frame.height // scale))
        return frame_planes(whole_picture.draw(engine, small[None], scale)[0], frame)[0]

    return draw


def figures(
    photos: list[Path], lines: int, draw: Draw, teacher: Draw, judge: FaceJudge, *, vgg: Vgg | None
) -> tuple[dict[str, Any], list[U8]]:
    """Every figure, and the rows of a sheet to look at: photo, drawing and teacher of some photos at 1:1.

    lines: the style's. draw, teacher: what draws a photo at its working size. vgg: for the distance of features, of
    what is on the sheet alone, since it is slow.
    """
    near: dict[str, dict[str, list[dict[str, float]]]] = {k: defaultdict(list) for k in FIXED_DEGRADATIONS}
    kept: dict[str, list[Kept]] = {k: [] for k in ("everybody", "everybody, by the teacher", "dim light")}
    shown = set(spread(photos, SHOWN))
    columns: list[list[U8]] = []
    for number, file in enumerate(tqdm(photos, "photos")):
        photo = working(file, lines)
        target, own, seen = teacher(photo), draw(photo), judge.faces(photo)
        near["clean"]["net"].append(scores(own, target))
        for kind in FIXED_DEGRADATIONS[1:]:  # "clean" comes first
            bad = fixed(kind, photo, number)
            drawn = draw(bad)
            near[kind]["net"].append(scores(drawn, target))
            near[kind]["net, against its own clean drawing"].append(scores(drawn, own))
            near[kind]["teacher"].append(scores(teacher(bad), target))
            if kind == "dim":
                kept["dim light"] += judge.kept(judge.faces(bad), drawn)
        kept["everybody"] += judge.kept(seen, own)
        kept["everybody, by the teacher"] += judge.kept(seen, target)
        if file in shown:
            columns.append([_part(picture, seen) for picture in (photo, own, target)])
    everybody = kept["everybody"]
    kept["darkest faces"] = [everybody[i] for i in drawn_faces.darkest_fifth(everybody)]
    stills = [working(file, lines) for file in spread(photos, MOVED)]
    found: dict[str, Any] = {kind: {who: _means(all_) for who, all_ in by.items()} for kind, by in near.items()}
    if vgg is not None:
        found["clean"]["net"]["vgg_distance"] = float(np.mean([vgg_distance(vgg, *parts[1:]) for parts in columns]))
    found["groups"] = {name: drawn_faces.summary(faces) for name, faces in kept.items()}
    found["steadiness"] = {
        "net": steadiness.measure(tqdm(stills, "net moved"), draw),
        "teacher": steadiness.measure(tqdm(stills, "teacher moved"), teacher),
    }
    return found, [np.stack(row) for row in zip(*columns, strict=True)]


def scores(drawn: U8, target: U8) -> dict[str, float]:
    """PSNR of two (h, w, 3) uint8 RGB pictures, SSIM and MS-SSIM of their luma (BT.601)."""
    a, b = (_unit(picture) for picture in (drawn, target))
    y, z = ((picture * LUMA).sum(dim=1, keepdim=True) for picture in (a, b))
    return {"psnr": metrics.psnr(a, b), "ssim": metrics.ssim(y, z), "ms_ssim": float(metrics.similarity(y, z))}


@torch.inference_mode()
def vgg_distance(vgg: Vgg, drawn: U8, target: U8) -> float:
    """How far two (h, w, 3) uint8 RGB pictures are apart in VGG's features."""
    return float(features.distance(vgg, *(2 * _unit(picture) - 1 for picture in (drawn, target))))


def _unit(picture: U8) -> Tensor:
    return torch.tensor(picture).permute(2, 0, 1)[None].float() / 255


def table(result: dict[str, Any]) -> str:
    """The figures as Markdown, for a card."""
    lines = _head("input", "drawn by", "PSNR dB", "SSIM", "MS-SSIM", "VGG distance")
    for kind in FIXED_DEGRADATIONS:
        for who, s in result[kind].items():
            far = f"{s['vgg_distance']:.3f}" if "vgg_distance" in s else ""
            lines.append(f"| {kind} | {who} | {s['psnr']:.2f} | {s['ssim']:.3f} | {s['ms_ssim']:.3f} | {far} |")
    lines += ["", *_head("faces", "how many", "found again", "eyes and mouth off by", "mouth's opening r",
                         "eyes' opening r", "skin tone slope", "skin tone rank")]  # fmt: skip
    for name, g in result["groups"].items():
        lines.append(
            f"| {name} | {g['faces']} | {100 * g['found_again']:.1f} % | {g['landmark_error']:.3f} | "
            f"{g['mouth_r']:.2f} | {g['eyes_r']:.2f} | {g['tone_slope']:.2f} | {g['tone_rank']:.2f} |"
        )
    lines += ["", *_head("moved stills drawn by", "change over the film's", "difference of changes, levels",
                         "warping error x 1000")]  # fmt: skip
    for who, s in result["steadiness"].items():
        lines.append(f"| {who} | {s['change']:.2f} | {s['difference']:.2f} | {1000 * s['warping_error']:.2f} |")
    lines += [
        "",
        "Off by: in parts of the distance between the eyes. Skin tone: CIE lightness, drawn over photographed.",
    ]
    return "\n".join(lines)


def _head(*names: str) -> list[str]:
    return ["| " + " | ".join(names) + " |", "|---" * len(names) + "|"]


def _means(scored: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([s[name] for s in scored])) for name in scored[0]}


def _part(picture: U8, seen: list[Seen]) -> U8:
    """(SHOWN_PX, SHOWN_PX, 3): the part of a picture around its largest face, or its middle; black beyond it."""
    h, w = picture.shape[:2]
    box = max((s.face.box for s in seen), key=lambda b: float(b[2] - b[0]), default=np.array([0, 0, w, h]))
    sheet = np.zeros((SHOWN_PX, SHOWN_PX, 3), np.uint8)
    ends = []
    for side, middle in ((h, box[1] + box[3]), (w, box[0] + box[2])):
        start = max(0, min(round(float(middle) / 2) - SHOWN_PX // 2, side - SHOWN_PX))
        ends.append(slice(start, min(side, start + SHOWN_PX)))
    part = picture[ends[0], ends[1]]
    sheet[: part.shape[0], : part.shape[1]] = part
    return sheet
