"""A procedural engraver: confident lines, two families of hatching whose width follows tone, solid blacks, clean paper.

Lines are a flow-guided difference of Gaussians (Kang et al., "Flow-Based Image Abstraction", TVCG 2009, sections 3-4)
with the soft threshold of XDoG (Winnemoeller et al., Computers & Graphics 2012, eq. 5-7), taken on the logarithm of
luminance so that a crease reads alike in dark and light skin. Tone becomes strokes as engravers do it: one family of
slightly curved parallel lines, a second across it in the shadows, then solid ink. The strokes are fixed in the crop,
which is fixed to the head: they ride with it.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from streamtoon.types import F32, U8
from train.shapes import Contours, polygon, ramp

Floats = npt.NDArray[np.floating[Any]]

SUPERSAMPLING: Final = 2  # lines and strokes are made at twice the crop's size and averaged down
GREY_WEIGHTS: Final = np.array([0.40, 0.50, 0.10], np.float32)  # redder than luma: blemishes and stubble fade
WHITE_TONE: Final = 0.75  # the paper stays empty from this tone
BLACK_TONE: Final = 0.20  # ink is solid below this tone
UNKNOWN_FACE_TONE: Final = 0.55  # tone of a face nobody found
MIN_TONE_SPREAD: Final = 0.17  # interquartile range of a face's grey at the least: flat light is given contrast
MIN_CREASE_STRENGTH: Final = 0.12  # strength of a face's marked lines, in log luminance, likewise


def tone_target(face: float) -> float:
    """Where a face's median grey goes, 0..1 -> 0..1: about .38 + .5 face, so complexion keeps its order."""
    return float(WHITE_TONE - 0.35 * max(0.0, (0.80 - face) / 0.53) ** 1.8)


def draw(image: U8, mask: U8, contours: Contours | None) -> U8:
    """(h, w, 3) uint8 RGB, (h, w) uint8 person mask, face contours in px -> (h, w) uint8 drawing, 255 is paper."""
    ink = strokes(tone(image, mask, contours), image.shape[0])
    ink, white = with_lines(ink, image, mask, contours)
    drawn = 255 * (1 - ink * (1 - white))
    small = cv2.resize(drawn, image.shape[1::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(np.clip(small + 0.5, 0, 255), np.uint8)


def tone(image: U8, mask: U8, contours: Contours | None) -> F32:
    """What the hatching should show: (h, w, 3) -> (2 h, 2 w) float32 ink coverage 0..1, edges kept."""
    smooth = cv2.bilateralFilter(image, 7, 28, 5)
    smooth = cv2.bilateralFilter(smooth, 9, 22, 7)
    grey = np.asarray(smooth.astype(np.float32) @ (GREY_WEIGHTS / 255), np.float32)
    face, spread = measure(grey, mask, contours)
    level = tone_target(face)
    gamma = np.log(level) / np.log(np.clip(face, 0.05, 0.95))
    grey = np.asarray(np.power(np.maximum(grey, 1e-3), gamma), np.float32)
    spread *= gamma * level / max(face, 0.05)  # what the power did to it
    contrast = float(np.clip(MIN_TONE_SPREAD / max(spread, 1e-3), 1.0, 2.5))
    grey = np.asarray(level + contrast * (grey - level), np.float32)
    if contours is not None:
        grey = _spare_features(grey, level, contours)
    big = cv2.resize(grey, None, fx=SUPERSAMPLING, fy=SUPERSAMPLING, interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip((WHITE_TONE - big) / (WHITE_TONE - BLACK_TONE), 0, 1), np.float32)


def measure(grey: Floats, mask: U8, contours: Contours | None) -> tuple[float, float]:
    """Median and interquartile range of the face's grey, 0..1: the oval without eyes and mouth where it is known."""
    if contours is not None:
        area = polygon(grey.shape, contours["oval"], 0) - sum(
            polygon(grey.shape, contours[k], 2) for k in ("lips", "right_eye", "left_eye")
        )
        values = grey[area > 0.5]
        if len(values) > 100:
            low, middle, high = np.percentile(values, [25, 50, 75])
            return float(middle), float(high - low)
    values = grey[mask > 200]
    return (float(np.percentile(values, 60)) if len(values) > 100 else UNKNOWN_FACE_TONE), MIN_TONE_SPREAD


def _spare_features(grey: Floats, level: float, contours: Contours) -> F32:
    """Keep hatching off lips and the whites of eyes, and shadows round the mouth from looking like stubble."""
    lips, mouth = polygon(grey.shape, contours["lips"], 1), polygon(grey.shape, contours["mouth"], 0)
    around = polygon(grey.shape, contours["lips"], 9, 4.0)
    calm = np.maximum(grey, 0.5 * grey + 0.5 * level)
    grey = grey + around * (1 - lips) * (calm - grey)
    bare = np.maximum(0.35 * grey + 0.65 * (level + 0.07), level + 0.03)
    grey = grey + lips * (1 - mouth) * (bare - grey)
    for name in ("right_eye", "left_eye"):
        around = polygon(grey.shape, contours[name], 5, 3.0)
        grey = grey + around * (np.maximum(grey, 0.5 * grey + 0.5 * (level + 0.03)) - grey)
        eye = polygon(grey.shape, contours[name], 1)
        if (eye > 0.5).sum() < 12:
            continue
        dark, bright = np.percentile(grey[eye > 0.5], [8, 85])
        clear = 0.10 + 0.85 * (grey - dark) / max(bright - dark, 0.08)
        grey = grey + eye * (np.clip(clear, 0, 1) - grey)
    return np.asarray(grey, np.float32)


@cache
def texture(size: int) -> F32:
    """(2, size, size) float32 0..1: two families of lines as triangle waves, 0 on a stroke's middle, evenly spread."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size - 0.5 + 0.5 / size
    waves = []
    for degrees, lines, bend, wobble in ((52.0, 51.0, 0.10, 0.22), (-22.0, 47.0, -0.08, 0.18)):
        a = np.deg2rad(degrees)
        across, along = x * np.sin(a) + y * np.cos(a), x * np.cos(a) - y * np.sin(a)
        phase = lines * (across + bend * along**2) + wobble * np.sin(2 * np.pi * (2.3 * along + 3.1 * across))
        waves.append(np.abs(2 * (phase - np.floor(phase)) - 1))
    return np.stack(waves).astype(np.float32)


def strokes(coverage: F32, size: int) -> F32:
    """Ink coverage 0..1 -> ink 0..1, both (SUPERSAMPLING size, SUPERSAMPLING size): line width follows tone."""
    first, second = texture(SUPERSAMPLING * size)
    a = np.where(coverage < 0.05, 0, coverage)
    one = np.minimum(a, 0.52 + 0.25 * np.maximum(a - 0.52, 0))
    two = np.clip(1 - (1 - a) / (1 - one), 0, 1)
    edge = 0.16  # a stroke's soft edge, in half periods: about one px at twice the crop's size
    ink = np.maximum(_step(one - first, edge) * (one > 0.03), _step(two - second, edge) * (two > 0.04))
    solid = np.clip((coverage - 0.86) / 0.08, 0, 1)
    return np.asarray(np.maximum(ink, solid), np.float32)


def _step(x: F32, width: float) -> F32:
    return np.asarray(np.clip(0.5 + x / width, 0, 1), np.float32)


def with_lines(ink: F32, image: U8, mask: U8, contours: Contours | None) -> tuple[F32, F32]:
    """Ink with the drawing's lines and the person's outline; and the white lines that model what is black."""
    height, width = image.shape[0] * SUPERSAMPLING, image.shape[1] * SUPERSAMPLING
    big = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32) @ (GREY_WEIGHTS / 255)
    light = np.log(np.maximum(big, 0) + 0.07).astype(np.float32)
    flow = tangents(light)
    fine = flow_dog(light, flow, 1.1, 5)
    coarse = flow_dog(light, flow, 2.2, 8)
    need = cv2.resize(_sensitivity(image.shape, contours), (width, height), interpolation=cv2.INTER_LINEAR)
    if contours is not None:
        face = cv2.resize(polygon(image.shape, contours["oval"], 0), (width, height)) > 0.5
        need *= np.clip(MIN_CREASE_STRENGTH / max(float(np.percentile(-coarse[face], 95)), 1e-3), 0.8, 3.0)
    lines = np.maximum(ramp(-fine * need, 0.030, 0.075), ramp(-coarse * need, 0.045, 0.11))
    person = cv2.GaussianBlur(cv2.resize(mask, (width, height), interpolation=cv2.INTER_CUBIC), (0, 0), 2.5) / 255.0
    slope = np.hypot(cv2.Sobel(light, -1, 1, 0, scale=1 / 8), cv2.Sobel(light, -1, 0, 1, scale=1 / 8))
    weak = 1 - ramp(np.asarray(cv2.GaussianBlur(slope, (0, 0), 3), np.float32), 0.02, 0.06)
    outline = ramp(0.22 - np.abs(person.astype(np.float32) - 0.62), 0.0, 0.15) * weak
    if contours is not None:
        lines = np.maximum(lines, features((height, width), contours))
    # a bare rim keeps a line clear of the hatching beside it
    halo = ramp(coarse * need, 0.02, 0.07) * ramp(0.75 - ink_mean(ink), 0.0, 0.2)
    white = ramp(fine, 0.06, 0.14) * ramp(ink, 0.5, 0.9)
    return np.maximum(ink * (1 - halo), np.maximum(lines, 0.9 * outline)), white * (1 - lines)


def ink_mean(ink: F32) -> F32:
    """Ink averaged over about two strokes."""
    return np.asarray(cv2.blur(ink, (21, 21)), np.float32)


def features(shape: tuple[int, int], contours: Contours) -> F32:
    """(h, w) float32 0..1: upper lids and the line between the lips, so that a blurred face keeps its expression."""
    drawn = np.zeros(shape, np.uint8)
    eyes = [np.concatenate([contours[name][8:], contours[name][:1]]) for name in ("right_eye", "left_eye")]
    mouth = contours["mouth"]
    for points, width in ((eyes[0], 3), (eyes[1], 3), (mouth[:11], 2), (np.concatenate([mouth[10:], mouth[:1]]), 3)):
        at = np.round((points * SUPERSAMPLING + (SUPERSAMPLING - 1) / 2) * 16).astype(np.int32)
        cv2.polylines(drawn, [at], False, (255,), width, cv2.LINE_AA, 4)
    return np.asarray(cv2.GaussianBlur(drawn, (0, 0), 0.7), np.float32) * (0.95 / 255)


def _sensitivity(shape: tuple[int, ...], contours: Contours | None) -> F32:
    """How much a crease counts: more at eyes and mouth, less on bare skin, where it would read as stubble or age."""
    need = np.ones(shape[:2], np.float32)
    if contours is None:
        return need
    need -= 0.35 * polygon(shape, contours["oval"], 0, 4.0)
    for name, grow in (("right_eye", 14), ("left_eye", 14), ("lips", 2)):
        need = np.maximum(need, 0.65 + 0.75 * polygon(shape, contours[name], grow, 3.0))
    return need


def tangents(light: F32) -> F32:
    """(h, w) -> (2, h, w) unit vectors along edges: the smoothed structure tensor's minor eigenvector."""
    gx, gy = cv2.Sobel(light, -1, 1, 0), cv2.Sobel(light, -1, 0, 1)
    e, f, g = (cv2.GaussianBlur(p, (0, 0), 3.0) for p in (gx * gx, gx * gy, gy * gy))
    angle = 0.5 * np.arctan2(2 * f, e - g) + np.pi / 2
    return np.stack([np.cos(angle), np.sin(angle)]).astype(np.float32)


def flow_dog(light: F32, flow: F32, sigma: float, reach: int) -> F32:
    """Difference of Gaussians across the flow, averaged along it; negative on dark lines. ``reach``: steps of 1 px."""
    h, w = light.shape
    x, y = (p.astype(np.float32) for p in np.meshgrid(np.arange(w), np.arange(h)))
    wide = 1.6 * sigma
    across = np.zeros_like(light)
    offsets = np.arange(-int(2.2 * wide + 0.5), int(2.2 * wide + 0.5) + 1)
    narrow_w, wide_w = (np.exp(-(offsets**2) / (2 * s * s)) for s in (sigma, wide))
    for o, weight in zip(offsets, narrow_w / narrow_w.sum() - wide_w / wide_w.sum(), strict=True):
        across += float(weight) * _look(light, x - float(o) * flow[1], y + float(o) * flow[0])
    total, weights = across.copy(), 1.0
    for way in (1.0, -1.0):  # walk the stream line both ways; the tangent has no sign, so keep going where we came from
        px, py, dx, dy = x, y, way * flow[0], way * flow[1]
        for step in range(1, reach + 1):
            px, py = px + dx, py + dy
            tx, ty = _look(flow[0], px, py), _look(flow[1], px, py)
            turn = np.where(tx * dx + ty * dy < 0, np.float32(-1), np.float32(1))
            dx, dy = tx * turn, ty * turn
            weight = float(np.exp(-2.0 * (step / reach) ** 2))
            total += weight * _look(across, px, py)
            weights += weight
    return np.asarray(total / weights, np.float32)


def _look(plane: F32, x: F32, y: F32) -> F32:
    return np.asarray(cv2.remap(plane, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
