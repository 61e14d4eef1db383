"""Photos -> crops by the live cropper, with person masks, face contours and a manifest.

``OUT/crops/NAME.png`` (320, 320, 3) RGB, ``OUT/masks/NAME.png`` (320, 320) grey, ``OUT/manifest.json``.
A canvas is the live crop with room around it, at the live crop's scale, so that later shifts and turns find picture
there. The split is a hash of the file name: the same person is held out on every machine, for ever.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from tqdm import tqdm  # type: ignore[import-untyped]

from foundation import files
from foundation.errors import UsageError
from streamtoon.pipeline import crop
from streamtoon.pipeline.find import Finder
from streamtoon.pipeline.landmarks import Landmarks
from streamtoon.types import F32, U8, Frame
from train.data import photo_files
from train.data.face_contours import contours
from train.data.person_mask import PersonMask
from train.shapes import Contours

log = logging.getLogger(__name__)

CROP_PX: Final = 256  # side of a crop, px
CANVAS_PX: Final = 320  # side of a stored canvas, px; its middle CROP_PX px are the live crop
EDGE_PX: Final = (CANVAS_PX - CROP_PX) // 2
MIN_CRISPNESS: Final = (
    0.22  # mean Laplacian of a drawn face in parts of its contrast, below which it is no line drawing
)
BLANK_FRAME: Final = Frame((np.zeros((64, 64, 3), np.uint8),), "rgb24", 0, Fraction(0))


@dataclass
class Args:
    """Photos -> crops by the live cropper, a manifest with hashes and a fixed train/val/test split."""

    photos: Path
    """folder of photos, one person each (searched through)"""
    out: Path
    """folder to write; what is in it already is replaced file by file"""
    margin: float = 2.2
    """side of a crop in face sizes, as in the style's style.toml"""
    drawn: bool = False
    """they are drawings: paper levelled to white, the sitter alone; scans too soft and sitters in doubt are left out"""
    limit: int = 0
    """read at most so many photos; 0 reads all"""


@dataclass
class Item:
    """One photo: where it came from, its split, and where its face is in the canvas (px)."""

    name: str
    sha256: str
    split: str
    score: float
    keypoints: list[list[float]]
    contours: dict[str, list[list[float]]] | None

    def shapes(self) -> Contours | None:
        """The contours as {name: (n, 2) float32}."""
        return None if self.contours is None else {k: np.array(v, np.float32) for k, v in self.contours.items()}


def middle(canvas: U8) -> U8:
    """The live crop out of a stored canvas, or of its mask."""
    return np.ascontiguousarray(canvas[EDGE_PX : EDGE_PX + CROP_PX, EDGE_PX : EDGE_PX + CROP_PX])


def canvas_of(picture: U8, finder: Finder, margin: float) -> tuple[U8, F32, float] | None:
    """A photo -> (canvas, keypoints (6, 2) in canvas px, score) of its largest face; None without one."""
    frame = Frame((picture,), "rgb24", 0, Fraction(0))
    finder(BLANK_FRAME)  # forget the photo before
    faces = finder(frame)
    if not faces:
        return None
    face = max(faces, key=lambda f: float(f.box[2] - f.box[0]) * f.score)
    affine = crop.square(face, margin, CROP_PX)
    affine[:, 2] += EDGE_PX
    keypoints = face.keypoints @ affine[:, :2].T + affine[:, 2]
    return crop.sample(frame, affine, CANVAS_PX), keypoints.astype(np.float32), float(face.score)


def alone(canvas: U8, mask: U8) -> U8 | None:
    """The sitter of a scanned drawing on white paper, (h, w, 3) uint8 grey; None where there is none to rely on.

    What is left out: sitters whose mask (h, w) is faint or ragged, scans so soft that strokes run together.
    """
    person = mask.astype(np.float32)[..., None] / 255
    grey = cv2.cvtColor(canvas, cv2.COLOR_RGB2GRAY).astype(np.float32)
    face = grey[110:230, 110:210]
    crisp = float(np.abs(cv2.Laplacian(face, cv2.CV_32F)).mean()) / max(float(face.std()), 1.0)
    if crisp < MIN_CRISPNESS or (person > 0.9).mean() < 0.2 or ((person > 0.1) & (person < 0.9)).mean() > 0.12:
        return None
    sheet = grey / max(float(np.percentile(grey, 80)), 1.0)
    sheet += 1.0 * (sheet - cv2.GaussianBlur(sheet, (0, 0), 1.2))  # scanning softened what was black on white
    black = float(np.percentile(sheet[person[..., 0] > 0.9], 4))
    sheet = np.clip((sheet - black) / max(1 - black, 0.1), 0, 1)[..., None]
    white = 255 * (sheet * person + 1 - person)
    return np.asarray(np.repeat(white, 3, axis=2) + 0.5, np.uint8)


def prepare(args: Args) -> list[Item]:
    """Crop every photo, write crops, masks and manifest; photos without a face are counted and left out."""
    photos = photo_files.found(args.photos)[: args.limit or None]
    for folder in ("crops", "masks"):
        (args.out / folder).mkdir(parents=True, exist_ok=True)
    items, left_out = [], []
    person, landmarks = PersonMask(), Landmarks()
    try:
        with Finder() as finder:
            for file in tqdm(photos, "prepare", unit="photo"):
                picture = photo_files.read_rgb(file)
                found = None if picture is None else canvas_of(picture, finder, args.margin)
                if found is None:
                    left_out.append(file.name)
                    continue
                canvas, keypoints, score = found
                mask = person(canvas)
                if args.drawn:
                    sitter = alone(canvas, mask)
                    if sitter is None:
                        left_out.append(file.name)
                        continue
                    canvas = sitter
                found_contours = contours(landmarks, middle(canvas), args.margin)
                cv2.imwrite(str(args.out / "crops" / f"{file.stem}.png"), canvas[:, :, ::-1])
                cv2.imwrite(str(args.out / "masks" / f"{file.stem}.png"), mask)
                digest = hashlib.sha256(file.read_bytes()).hexdigest()
                shapes = {k: (v + EDGE_PX).round(1).tolist() for k, v in (found_contours or {}).items()} or None
                items.append(
                    Item(file.stem, digest, photo_files.split_of(file.name), score, keypoints.round(1).tolist(), shapes)
                )
    finally:
        person.close()
    if not items:
        raise UsageError(f"no face in any of the {len(photos)} pictures of {args.photos}")
    manifest: dict[str, Any] = {
        "size": CROP_PX, "canvas": CANVAS_PX, "margin": args.margin, "left_out": left_out,
        "items": [asdict(i) for i in items],
    }  # fmt: skip
    files.write_text(args.out / "manifest.json", json.dumps(manifest))
    counts = {s: sum(i.split == s for i in items) for s in ("train", "val", "test")}
    log.info("%d crops (%s), %d photos without a usable face -> %s", len(items), counts, len(left_out), args.out)
    return items


def load(folder: Path) -> list[Item]:
    """The items of a prepared folder."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
        return [Item(**i) for i in manifest["items"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{folder} is no prepared folder ({error}); run `python -m train prepare` first") from None
