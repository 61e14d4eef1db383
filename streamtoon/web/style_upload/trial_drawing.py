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
from streamtoon.pipeline.toon import Toon
from streamtoon.privacy import drawn_check
from streamtoon.sources import portrait
from streamtoon.types import U8, Frame
from streamtoon.workflows.make_toon import make_toon

PREVIEW_NAME: Final = "drawn.webp"
MAX_CROP_MS: Final = 500.0  # to draw one crop: a slower network is of no use
TIMED_RUNS: Final = 3
MIN_MATTE_SHARE: Final = 0.02  # of a crop, covered by the matte
FACE_OVAL_MARGIN: Final = 2.2  # face sizes: the oval in a square so large covers all of a face, whatever the card says


def draw(folder: str, engine_name: str, threads: int) -> dict[str, Any]:
    """Draw the portrait with the style in ``folder``: ms a crop, share of the matte; a preview is left there.

    Raises UsageError for a drawing with artefacts that make it useless, EngineError where nothing can draw it.
    """
    style = style_folder.load(folder)
    made = make_toon(
        style, engine=engine_name, threads=threads, workload="still", region="head", background="keep", private=True
    )
    with made as toon:
        seen = toon.see(Frame((portrait.picture(),), "rgb24", 0, Fraction(0), still=True))
        cut = seen.heads[0]
        drawn = toon.engine(cut.image[None])[0]
        began = time.perf_counter()
        others = [toon.engine(cut.image[None])[0] for _ in range(TIMED_RUNS)]
        ms = 1000 * (time.perf_counter() - began) / TIMED_RUNS
        if drawn.shape != (style.size, style.size, 4):
            raise UsageError(f"the network draws {drawn.shape}, the card says {style.size} px; export the style again")
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
    if max(int(np.abs(drawn.astype(int) - other).max()) for other in others) > 2:
        raise UsageError("it draws the same photo differently each time: films would flicker")
    if ms > MAX_CROP_MS:
        raise UsageError(f"it takes {ms:.0f} ms a crop here; {MAX_CROP_MS:.0f} ms is the limit")
    alpha = drawn[..., 3:].astype(np.float32) / 255
    cut_out = drawn[..., :3] * alpha + np.array(style.paper) * (1 - alpha)
    Image.fromarray(np.hstack([cut.image, cut_out.round().astype(np.uint8)])).save(
        Path(folder) / PREVIEW_NAME, quality=85
    )
    return {"ms": round(ms, 1), "matte": round(matte, 3)}


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
