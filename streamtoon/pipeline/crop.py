"""(frame, affine) -> Crop: a similarity transform from the detector's keypoints, so heads stand upright in their crops.

Coordinates follow OpenCV: the centre of the first pixel is (0, 0). A chroma sample of yuv420p lies between its
four luma samples: luma = 2 * chroma + 0.5.
"""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from streamtoon.image import colour
from streamtoon.types import U8, Crop, Face, Frame, Style

Affine = npt.NDArray[np.float64]

LUMA_GRID: Final = (1, 0.0)  # (pitch, offset): frame px = pitch * sample + offset
CHROMA_GRID: Final = (2, 0.5)
MIN_VIEW_PX: Final = 384  # least longest side of the detectors' view: twice what the full-range detector looks at
MIN_TILE_OVERLAP: Final = 0.2  # of a tile's side shared with its neighbour, at least


def crop(frame: Frame, affine: Affine, size: int) -> Crop:
    """Cut a square out of ``frame``; ``affine`` is frame px -> crop px, ``size`` its side in px."""
    return Crop(sample(frame, affine, size), affine)


def square(face: Face, margin: float, size: int) -> Affine:
    """(2, 3) affine, frame px -> crop px, of the square around a head.

    One face size is the longer of eye distance and eye-mouth distance (one of the two survives every turn of the
    head), times two: about the width of a frontal face. The square's side is ``margin`` face sizes.
    """
    right, left, nose, mouth = face.keypoints[:4].astype(np.float64)
    eyes = (right + left) / 2
    across, down = left - right, mouth - eyes
    angle = math.radians(face.roll)
    x, y = np.array([math.cos(angle), math.sin(angle)]), np.array([-math.sin(angle), math.cos(angle)])
    side = margin * 2 * max(math.hypot(*across), math.hypot(*down), 1.0)
    turn = float((nose - (eyes + mouth) / 2) @ x)  # the nose leads the turning head, its bulk stays behind
    centre = eyes + 0.07 * side * y - 0.5 * turn * x
    scale = size / side
    rows = scale * np.stack([x, y])
    middle = (size - 1) / 2
    return np.column_stack([rows, middle - rows @ centre])


def tiles(frame: Frame, style: Style) -> list[Crop]:
    """Overlapping upright squares that cover the whole frame (region "frame") and stand over by their feather."""
    w, h, size = frame.width, frame.height, style.size
    side = max(min(w, h) / 1.5, max(w, h) / 4)
    over = style.feather * side
    return [
        crop(frame, affine, size)
        for y in starts(h, side, over)
        for x in starts(w, side, over)
        for affine in [np.array([[size / side, 0, -x * size / side], [0, size / side, -y * size / side]])]
    ]


def starts(length: int, side: float, over: float = 0.0) -> list[float]:
    """Where tiles begin along one axis, from -over to length + over; neighbours share MIN_TILE_OVERLAP or more."""
    length_over = length + 2 * over
    if length_over <= side:
        return [(length - side) / 2]
    count = math.ceil((length_over - side) / (side * (1 - MIN_TILE_OVERLAP))) + 1
    return [i * (length_over - side) / (count - 1) - over for i in range(count)]


def sample(frame: Frame, affine: Affine, size: int) -> U8:
    """(size, size, 3) uint8 RGB under ``affine`` (frame px -> crop px); beyond the frame its border is repeated."""
    if frame.layout == "rgb24":
        return _warp(frame.planes[0], affine, size, LUMA_GRID)
    y, u, v = frame.planes
    yuv = cv2.merge(
        [_warp(y, affine, size, LUMA_GRID), _warp(u, affine, size, CHROMA_GRID), _warp(v, affine, size, CHROMA_GRID)]
    )
    return np.asarray(cv2.transform(yuv, colour.to_rgb(frame.colour)), np.uint8)


def _warp(plane: U8, affine: Affine, size: int, grid: tuple[int, float]) -> U8:
    """Sample one plane, prefiltered: shrinking by bilinear lookup alone would alias and shimmer."""
    pitch, offset = grid
    inverse = cv2.invertAffineTransform(affine)
    corners = inverse @ np.array([[0, size, 0, size], [0, 0, size, size], [1, 1, 1, 1]], np.float64)
    corners = (corners - offset) / pitch
    h, w = plane.shape[:2]
    x0, y0 = np.clip(np.floor(corners.min(axis=1)).astype(int) - 2, 0, [w - 1, h - 1])
    x1, y1 = np.clip(np.ceil(corners.max(axis=1)).astype(int) + 3, [x0 + 1, y0 + 1], [w, h])
    part = plane[y0:y1, x0:x1]
    zoom = math.sqrt(abs(inverse[0, 0] * inverse[1, 1] - inverse[0, 1] * inverse[1, 0])) / pitch
    step = max(1, min(int(zoom), *part.shape[:2]))
    if step > 1:
        part = part[: part.shape[0] // step * step, : part.shape[1] // step * step]
        shape = (part.shape[1] // step, part.shape[0] // step)
        part = np.asarray(cv2.resize(part, shape, interpolation=cv2.INTER_AREA), np.uint8)
    # frame px = pitch * (step * shrunk + (step - 1) / 2 + x0) + offset
    scale = pitch * step
    shift = pitch * ((step - 1) / 2 + np.array([x0, y0])) + offset
    to_part = np.column_stack([inverse[:, :2] / scale, (inverse[:, 2] - shift) / scale])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(part, to_part, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE))


def view(frame: Frame) -> U8:
    """Small RGB picture of the whole frame, (h, w, 3) uint8, what the detectors see.

    Shrunk by a whole number (that is quick) to a longest side of MIN_VIEW_PX px or a little more.
    """
    w, h = frame.width, frame.height
    step = view_step(w, h)
    shape = (max(1, w // step), max(1, h // step))
    # whole blocks of step x step: averaging over a broken number of pixels takes three times as long
    main = cv2.resize(frame.planes[0][: shape[1] * step, : shape[0] * step], shape, interpolation=cv2.INTER_AREA)
    if frame.layout == "rgb24":
        return np.asarray(main, np.uint8)
    chroma = [cv2.resize(p, shape, interpolation=cv2.INTER_LINEAR) for p in frame.planes[1:]]
    return np.asarray(cv2.transform(cv2.merge([main, *chroma]), colour.to_rgb(frame.colour)), np.uint8)


def view_step(width: int, height: int) -> int:
    """How many px of a frame of this size one px of its view stands for."""
    return max(1, max(width, height) // MIN_VIEW_PX)
