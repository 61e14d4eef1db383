"""How steady drawings of moving pictures are, by two rulers. Motion is made, not estimated: the flow is exact.

change         mean |out_t - out_t-1| over mean |in_t - in_t-1|: 1 changes as much as the film does
difference     mean |(out_t - out_t-1) - (in_t - in_t-1)|, grey levels of 255: the frame difference that FDB
               (arXiv 2102.05822) trains with
warping_error  mean (out_t - warp(out_t+1))^2, values 0..1 (Lai et al., ECCV 2018), with the exact flow
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from streamtoon.types import F32, U8

Affine = npt.NDArray[np.float64]

FRAMES: Final = 6  # of each still's film
EDGE_PX: Final = 16  # what comes in over the edge is nobody's fault


def motion(frame: int, width: int, height: int) -> Affine:
    """(2, 3) affine, still px -> px of film frame number ``frame``: a camera in the hand, up to 2 px a frame."""
    turn, zoom = 0.25 * np.sin(1.1 * frame), 1 + 0.002 * frame
    affine: Affine = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), turn, zoom), np.float64)
    affine[:, 2] += (0.9 * frame, 0.7 * np.sin(1.7 * frame))
    return affine


def film(still: U8) -> list[U8]:
    """FRAMES frames of (h, w, 3) uint8 RGB of a photograph under ``motion``."""
    h, w = still.shape[:2]
    frames = [
        cv2.warpAffine(still, motion(i, w, h), (w, h), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        for i in range(FRAMES)
    ]
    return [np.asarray(frame, np.uint8) for frame in frames]


def rulers(seen: list[U8], drawn: list[U8]) -> dict[str, float]:
    """The three figures of ``drawn``, the drawings of the frames ``seen`` that ``film`` made."""
    into, out = ([_unit(frame) for frame in frames] for frames in (seen, drawn))
    changes = [(_inside(b - a), _inside(d - c)) for (a, b), (c, d) in zip(pairwise(into), pairwise(out), strict=True)]
    errors = [_inside(a - _back(b, i)) for i, (a, b) in enumerate(pairwise(out))]
    return {
        "change": float(
            np.sum([np.abs(d).mean() for _, d in changes]) / np.sum([np.abs(s).mean() for s, _ in changes])
        ),
        "difference": 255 * float(np.mean([np.abs(d - s).mean() for s, d in changes])),
        "warping_error": float(np.mean([np.square(e).mean() for e in errors])),
    }


def measure(stills: Iterable[U8], draw: Callable[[U8], U8]) -> dict[str, float]:
    """The mean figures of the drawings that ``draw`` makes of each still's film."""
    found = [rulers(frames, [draw(frame) for frame in frames]) for frames in map(film, stills)]
    return {name: float(np.mean([figures[name] for figures in found])) for name in found[0]}


def _unit(picture: U8) -> F32:
    return np.asarray(picture * np.float32(1 / 255), np.float32)


def _inside(picture: F32) -> F32:
    inside: F32 = picture[EDGE_PX:-EDGE_PX, EDGE_PX:-EDGE_PX]
    return inside


def _back(later: F32, frame: int) -> F32:
    """Frame ``frame + 1`` moved back to where frame ``frame`` was."""
    h, w = later.shape[:2]
    now, then = (np.vstack([motion(i, w, h), [0, 0, 1]]) for i in (frame, frame + 1))
    flow = (now @ np.linalg.inv(then))[:2]
    return np.asarray(cv2.warpAffine(later, flow, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
