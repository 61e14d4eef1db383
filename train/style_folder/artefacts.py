"""What goes wrong with image-to-image networks, found by looking at what a network makes of test pictures.

Each detector gives a figure and a limit; export refuses a style that is above one. Checkerboard: Odena et al., Distill
2016. Droplets: Karras et al., CVPR 2020. Hidden codes: Chu et al., arXiv 1712.02950.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from streamtoon.types import U8
from train.data import walls

Draw = Callable[[U8], U8]  # (N, h, w, 3) RGB -> (N, h, w, 3) RGB
Floats = npt.NDArray[np.float32]
ARTEFACT_LIMITS: Final = {
    "checkerboard": 1e-3,  # part of the squared range at the two highest frequencies, on flat pictures
    "border": 0.25,  # how much the outermost 4 px differ from the next 8, in parts of the range, on flat pictures
    "droplets": 0.03,  # part of the picture in small blobs that stand out by 6 robust standard deviations
    "blots": 0.6,  # farthest pixel of a flat colour's drawing, in parts of the range; of whole pictures
    "colour_cast": 0.15,  # mean colour difference of a grey picture's drawing, in parts of the range
    "collapse": 0.05,  # 0 where drawings of different pictures differ at all, 1 where they are one drawing
    "hidden_code": 0.5,  # part of the way back that noise of 2 levels destroys
}


def find(draw: Draw, photos: U8, back: Draw | None = None, *, flat_stays_flat: bool = False) -> dict[str, float]:
    """Every figure for a network; ``photos`` (N, h, w, 3), N from 2 to 8; ``back`` is the other direction, if any.

    ``flat_stays_flat``: what is of one colour is drawn in one, as networks of whole pictures do.
    """
    size = photos.shape[1]
    flats = np.stack([np.full((size, size, 3), value, np.uint8) for value in (30, 128, 220)])
    plain, drawn = unit(draw(flats)), unit(draw(photos))
    found = {
        "checkerboard": max(checkerboard(p) for p in plain),
        "border": max(border(p) for p in plain),
        "droplets": max(droplets(p) for p in plain),
        "colour_cast": max(colour_cast(p) for p in plain),
        "collapse": collapse(unit(photos), drawn),
    }
    if flat_stays_flat:
        colours = [np.full((1, size, size, 3), c, np.uint8) for c in itertools.product(walls.LEVELS, repeat=3)]
        found["blots"] = max(blots(unit(draw(colour))[0]) for colour in colours)
    return found if back is None else found | {"hidden_code": hidden_code(draw, back, photos)}


def failing(found: dict[str, float]) -> list[str]:
    """``name 0.3 (at most 0.1)`` for every figure above its limit."""
    return [f"{k} {v:.3g} (at most {ARTEFACT_LIMITS[k]:g})" for k, v in found.items() if not v <= ARTEFACT_LIMITS[k]]


def unit(pictures: U8) -> Floats:
    """uint8 -> 0..1."""
    return np.asarray(pictures, np.float32) / np.float32(255)


def checkerboard(picture: Floats) -> float:
    """Energy of (h, w, 3) at half the sampling rate, mean aside, the middle of the picture."""
    h, w = (n // 4 * 2 for n in picture.shape[:2])
    part = picture[h // 2 : h // 2 + h, w // 2 : w // 2 + w].mean(axis=2)
    power = np.abs(np.fft.fft2(part - part.mean())) ** 2
    return float((power[h // 2].sum() + power[:, w // 2].sum()) / part.size**2)


def border(picture: Floats) -> float:
    """Difference of the outermost 4 px and the 8 px inside them, the worst of the four sides."""
    sides = [np.rot90(picture, n) for n in range(4)]
    return max(float(np.abs(s[:4].mean(axis=(0, 1)) - s[4:12].mean(axis=(0, 1))).max()) for s in sides)


def droplets(picture: Floats) -> float:
    """Part of a flat picture's drawing covered by blobs of up to 1/8 of its side that stand out from around them."""
    grey = picture.mean(axis=2)
    side = grey.shape[0] // 8 | 1
    around = cv2.medianBlur((grey * 255).astype(np.uint8), side).astype(np.float32) / 255
    off = cv2.GaussianBlur(grey - around, (0, 0), 1.5)
    scale = 1.4826 * float(np.median(np.abs(off))) + 0.02
    return float((np.abs(off) > 6 * scale).mean())


def blots(picture: Floats) -> float:
    """Largest difference of a pixel from the colour that most of a flat picture's drawing has."""
    return float(np.abs(picture - np.median(picture, axis=(0, 1))).max())


def colour_cast(picture: Floats) -> float:
    """Largest difference between mean channels."""
    means = picture.mean(axis=(0, 1))
    return float(means.max() - means.min())


def collapse(photos: Floats, drawn: Floats) -> float:
    """How alike drawings of different photos are: 0 where they differ a tenth as much, 1 where they are one."""

    def spread(pictures: Floats) -> float:
        small = np.stack([cv2.resize(p, (32, 32), interpolation=cv2.INTER_AREA) for p in pictures])
        return float(small.std(axis=0).mean())

    return max(0.0, 1 - spread(drawn) / max(0.1 * spread(photos), 1e-6))


def hidden_code(draw: Draw, back: Draw, photos: U8) -> float:
    """How much worse the way back gets when 2 levels of noise cover the drawing, in parts of what is there to lose.

    0: the photo is told from what can be seen; 1: a code no eye sees told it.
    """
    drawn = draw(photos)
    rng = np.random.default_rng(0)
    noisy = np.clip(drawn + rng.normal(0, 2, drawn.shape), 0, 255).round().astype(np.uint8)
    x, clean, spoiled = unit(photos), unit(back(drawn)), unit(back(noisy))
    blind = float(np.abs(x - x.mean(axis=(1, 2), keepdims=True)).mean())  # what knowing the mean colour alone gives
    before, after = float(np.abs(clean - x).mean()), float(np.abs(spoiled - x).mean())
    return max(0.0, (after - before) / max(blind - before, 0.25 * blind, 1e-6))
