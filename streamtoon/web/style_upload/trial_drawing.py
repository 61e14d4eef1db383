"""Draws the embedded portrait with an uploaded style, in the child process that ``jobs/worker.py`` starts."""

from __future__ import annotations

import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from PIL import Image

from streamtoon import style_folder
from streamtoon.errors import UsageError
from streamtoon.pipeline.crop import square
from streamtoon.pipeline.head_crops import Detected, DrawnCrops
from streamtoon.pipeline.matte import oval
from streamtoon.pipeline.picture import frame_planes, luma
from streamtoon.pipeline.toon import Toon
from streamtoon.privacy import drawn_check
from streamtoon.sources import portrait
from streamtoon.types import U8, Frame
from streamtoon.workflows.make_toon import make_toon

PREVIEW_NAME: Final = "drawn.webp"
MAX_PICTURE_MS: Final = 500.0  # to draw one crop or picture: a slower network is of no use
TIMED_RUNS: Final = 3
MAX_CHANGE_LEVELS: Final = 2  # from one drawing of the same to the next
MIN_MATTE_SHARE: Final = 0.02  # of a crop, covered by the matte
FACE_OVAL_MARGIN: Final = 2.2  # face sizes: the oval in a square so large covers all of a face, whatever the card says


def draw(folder: str, engine_name: str, threads: int) -> dict[str, Any]:
    """Draw the portrait with the style in ``folder``: ms a picture, share of the matte; a preview is left there.

    Raises UsageError for a drawing with artefacts that make it useless, EngineError where nothing can draw it.
    """
    style = style_folder.load(folder)
    made = make_toon(
        style, engine=engine_name, threads=threads, workload="still",
        region="frame" if style.whole_picture else "head", background="keep", private=True,
    )  # fmt: skip
    frame = Frame((portrait.picture(),), "rgb24", 0, Fraction(0), still=True)
    with made as toon:
        pair, ms, matte = _picture(toon, frame) if style.whole_picture else _head(toon, frame)
    if ms > MAX_PICTURE_MS:
        raise UsageError(f"it takes {ms:.0f} ms a picture here; {MAX_PICTURE_MS:.0f} ms is the limit")
    Image.fromarray(pair).save(Path(folder) / PREVIEW_NAME, quality=85)
    return {"ms": round(ms, 1), "matte": round(matte, 3)}


def _picture(toon: Toon, frame: Frame) -> tuple[U8, float, float]:
    """The whole portrait: it and its drawing side by side, ms a picture, share of it that is drawn."""
    photo = toon.see(frame).picture
    drawn, ms = _timed(toon, photo)
    if not drawn_check.hides_picture(photo, luma(drawn)):
        raise UsageError("what it draws is empty or still the photo: it would hide nobody")
    return np.hstack([*frame.planes, *frame_planes(drawn, frame)]), ms, 1.0


def _head(toon: Toon, frame: Frame) -> tuple[U8, float, float]:
    """The portrait's head: the crop and its cut-out drawing side by side, ms a crop, share of it under the matte."""
    seen, style = toon.see(frame), toon.style
    cut = seen.heads[0]
    drawn, ms = _timed(toon, cut.image)
    shows = _uncovered_share(toon, seen, drawn)
    matte = float((drawn[..., 3] > 127).mean())
    if not drawn_check.hides_face(cut, drawn):
        raise UsageError("what it draws is empty or still the photo: it would hide nobody")
    if shows > drawn_check.MAX_UNCOVERED_SHARE:
        raise UsageError(
            f"the camera shows through {shows:.0%} of the face it draws over; change margin and feather in style.toml"
        )
    if matte < MIN_MATTE_SHARE:
        raise UsageError("what it cuts out is empty: nothing of it would be seen")
    alpha = drawn[..., 3:].astype(np.float32) / 255
    cut_out = drawn[..., :3] * alpha + np.array(style.paper) * (1 - alpha)
    return np.hstack([cut.image, cut_out.round().astype(np.uint8)]), ms, matte


def _timed(toon: Toon, picture: U8) -> tuple[U8, float]:
    """Its drawing, and ms a call. Raises UsageError where it is another one each time."""
    drawn = toon.engine(picture[None])[0]
    began = time.perf_counter()
    others = [toon.engine(picture[None])[0] for _ in range(TIMED_RUNS)]
    ms = 1000 * (time.perf_counter() - began) / TIMED_RUNS
    if max(int(np.abs(drawn.astype(int) - other).max()) for other in others) > MAX_CHANGE_LEVELS:
        raise UsageError("it draws the same photo differently each time: films would flicker")
    return drawn, ms


def _uncovered_share(toon: Toon, seen: Detected, drawn: U8) -> float:
    """Share of the portrait's face that the style leaves to the camera: see ``privacy.drawn_check.uncovered_share``.

    drawn: (size, size, 4) uint8 RGBA of the first head.
    """
    h, w = seen.frame.height, seen.frame.width
    sheets = (np.full((h, w, 3), 255, np.uint8), np.zeros((h, w, 3), np.uint8))
    behind = [replace(seen, frame=replace(seen.frame, planes=(sheet,))) for sheet in sheets]
    on_white, on_black = (toon.blend(DrawnCrops(one, [], [drawn])).planes[0] for one in behind)
    size = toon.style.size
    to_crop = square(seen.faces[0], FACE_OVAL_MARGIN, size)
    mask = oval(size, FACE_OVAL_MARGIN)
    face = cv2.warpAffine(mask, to_crop, (w, h), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return drawn_check.uncovered_share(on_white, on_black, np.asarray(face, np.uint8))
