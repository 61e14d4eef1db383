"""Whether an engine's answer hides what was photographed: an answer of nothing, or of the photograph, does not."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np

from streamtoon.types import F32, U8, Crop

MIN_DIFFERENCE_LEVELS: Final = 6.0  # least mean difference between a drawing and its crop over the face, grey levels
MIN_DEVIATION_LEVELS: Final = 2.0  # least standard deviation of a drawing there, grey levels: less is an empty sheet
TILE_PX: Final = 16  # side of the parts in which a whole picture is judged, in the size the network is given
TILES: Final = 3  # by as many tiles that lie together: one alone is judged by chance
MIN_DETAIL_LEVELS: Final = 2.0  # grey levels by which a tile differs from its blur: less is a wall, drawn as a wall
DETAIL_PX: Final = 5  # side of that blur
# Least difference between a drawing and its photo, in parts of the photo's own detail. Over 120 photos that the comic
# teacher drew no square of tiles has less than .44. Of the photo enlarged by pixel, linearly, or never shrunk none has
# more than .06, and by cubic splines a tenth of all have less than .05
MIN_DETAIL_CHANGED: Final = 0.15
MAX_UNCOVERED_SHARE: Final = 0.1  # of a face, where a style lets more of the camera's picture through than it draws


def hides_face(cut: Crop, drawn: U8) -> bool:
    """Whether ``drawn``, (h, w, 4) uint8 RGBA, is a drawing over the face of ``cut``, neither empty nor the photo."""
    h, w = cut.image.shape[:2]
    face = np.s_[round(0.3 * h) : round(0.75 * h), round(0.3 * w) : round(0.7 * w)]
    drawing = np.ascontiguousarray(drawn[face][..., :3])
    changed = float(cv2.absdiff(drawing, np.ascontiguousarray(cut.image[face])).mean()) >= MIN_DIFFERENCE_LEVELS
    return changed and float(drawing.std()) >= MIN_DEVIATION_LEVELS


def differs_from_photo(scene: list[Crop], drawn: list[U8]) -> bool:
    """Whether a drawn scene, (h, w, 4) uint8 RGBA a tile, is something else than its photograph; True without tiles.

    The mean over all tiles counts: one alone may be a wall as white as paper.
    """
    changes = [
        float(cv2.absdiff(np.ascontiguousarray(d[..., :3]), c.image).mean()) for c, d in zip(scene, drawn, strict=True)
    ]
    return not changes or float(np.mean(changes)) >= MIN_DIFFERENCE_LEVELS


def hides_picture(photo: U8, luma: U8) -> bool:
    """Whether a drawing, (h, w) uint8 luma, hides ``photo``, (h', w', 3) uint8 RGB, everywhere, and is not empty.

    Judged where there is detail to be drawn: a flat wall may stay as it is.
    """
    h, w = (side // TILE_PX * TILE_PX for side in photo.shape[:2])
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    detail = _tiles(cv2.absdiff(grey, cv2.blur(grey, (DETAIL_PX, DETAIL_PX))), h, w)
    judged = (detail >= MIN_DETAIL_LEVELS).astype(np.float32)
    if not judged.any():
        return True
    if float(cv2.meanStdDev(luma)[1][0, 0]) < MIN_DEVIATION_LEVELS:
        return False
    small = cv2.resize(luma, (photo.shape[1], photo.shape[0]), interpolation=cv2.INTER_AREA)
    there = _together(judged)
    enough = there > TILES * TILES / 2
    if not enough.any():  # little to judge by: all of it together
        enough = there > 0
    wanted = MIN_DETAIL_CHANGED * _together(detail * judged)
    # a network's picture is its input enlarged and changed: shrunk again, an unchanged one is the photo, or this blur
    blur = np.array([0.125, 0.75, 0.125], np.float32)
    alike = (grey, cv2.sepFilter2D(grey, -1, blur, blur))
    return not any(
        bool((enough & (_together(_tiles(cv2.absdiff(small, one), h, w) * judged) < wanted)).any()) for one in alike
    )


def _tiles(levels: Any, h: int, w: int) -> F32:
    """(h / TILE_PX, w / TILE_PX) float32: means over tiles of (h, w) uint8."""
    shape = (w // TILE_PX, h // TILE_PX)
    return np.asarray(cv2.resize(levels[:h, :w].astype(np.float32), shape, interpolation=cv2.INTER_AREA), np.float32)


def _together(tiles: F32) -> F32:
    """Sums over the TILES x TILES tiles around each; beyond the border there is nothing."""
    flags = cv2.BORDER_CONSTANT
    return np.asarray(cv2.boxFilter(tiles, -1, (TILES, TILES), normalize=False, borderType=flags), np.float32)


def uncovered_share(on_white: U8, on_black: U8, face: U8) -> float:
    """Share, 0..1, of a face where more of the camera's picture shows than of the drawing.

    on_white, on_black: (h, w, 3), one drawing blended over a white and over a black frame; where they differ is the
    camera's picture. face: (h, w), above 127 on the face.
    """
    camera = (on_white.astype(int) - on_black).mean(axis=2)
    return float((camera[face > 127] > 127).mean())
