"""Where people are in a whole picture: selfie segmentation, steadied over time, brought to the picture's own edges.

The network is MediaPipe's general selfie segmentation (256 x 256, 0.1 M parameters), run by OpenVINO. What it says is
coarse and trembles, and it is at its best with one person in a square picture. So a square around each known face is
looked at too; the answer is averaged over time where the picture stands still, then fitted to the luma
(``guided_filter``): edges of the matte come to lie on edges of the picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Any, Final, Self

import cv2
import numpy as np

from engines import openvino_core
from streamtoon.errors import EngineError, ModelError
from streamtoon.pipeline import face_models
from streamtoon.pipeline.guided_filter import apply, apply_on_crop, fit, shrunk, step_of
from streamtoon.types import F32, U8, Crop, Face, Frame

NET_PX: Final = 256  # side of what the network sees
GRID_PX: Final = 240 * 430  # pixels of the grid on which the matte is steadied and the filter is solved, at most
HEAD_GRID_PX: Final = 120 * 215  # the same for crops of heads, where it is as good

GRAIN_PX: Final = 5  # of the grid, over which change is averaged before it is judged
REACH_PX: Final = 9  # of the grid, as far as a change counts: the network answers to it around
STILL_LEVELS, MOVED_LEVELS = 2.5, 9.0  # grey levels of change up to which all is noise, from which the newest counts
KEEP: Final = 0.88  # of the old matte where nothing changed
CHANGE_DECAY: Final = 0.5  # share of a change that still counts a frame later: nothing old stays in what moved
JUMP_KEEP: Final = 0.6  # of the old matte at most where the network changed its mind; larger values leave ghosts

LOOK_FACES: Final = 7.0  # side of the square around a face that is looked at, in face widths
LOOK_SHARE: Final = 0.8  # of the picture, from which such a square shows little that the whole does not
LOOK_RIM: Final = 0.15  # of its side, over which it gives way to the whole picture's answer
LOOK_AGAIN: Final = 0.08  # of its side, by which a face may move before its square does: a still head has a still matte
HEAD_STILL: Final = 0.02  # of a look's side, by which a head may move for the answer to serve again
HEAD_LOOK: Final = 1.8  # side of what is looked at around the crop of a head, in sides of the crop
MIN_LOOK_PX: Final = 16  # smaller squares show nobody
MAX_LOOKS: Final = 4  # a frame: each takes as long as the whole picture
WHOLE_WEIGHT: Final = 0.35  # of the whole picture's answer within a square: it decides where the look does not know
ERRS: Final = (0.03, 0.1)  # people seen by the whole picture alone within the squares, in parts of those the looks see:
MAX_DOUBT: Final = 0.8  # from the first on what it says beyond is doubted; from the second on below this it is nobody

Box = tuple[int, int, int, int]  # x0 y0 x1 y1, px of the picture


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is remembered of the frames before, on the grid: (h, w) float32 each.

    matte   steadied, 0..1
    grey    average luma without its grain
    change  how far the luma was from it, grey levels
    """

    matte: F32
    grey: F32
    change: F32


class PersonMatte:
    """Pictures of one film, in order -> where the people are. Owns the network and what is remembered."""

    def __init__(self, *, threads: int = 1) -> None:
        """Compile the network for ``threads`` cores. Raises ModelError where its file is damaged."""
        self._request = compiled(threads)
        self._seen: _Seen | None = None
        self._looks: list[Box] = []
        self._answer: tuple[list[Box], F32] | None = None  # to looks at heads, where it may serve once more
        self._shot: int | None = None  # of the frame before; None before the first and after a still

    def __call__(self, picture: U8, luma: U8, faces: Sequence[Face] = (), frame_width: int | None = None) -> U8:
        """(H, W) uint8 of the size of ``luma``: 255 on people, 0 elsewhere, soft in between.

        picture      (h, w, 3) uint8 RGB: the whole frame, best at least 256 px high; larger helps distant people
        luma         (H, W) uint8: the same frame's luma or grey, full or limited range, in any size
        faces        those known, of this frame or of one shortly before. The network is at its best with one person in
                     a square picture: it looks at a square around each face too, and fails less for it
        frame_width  width in px of the frame ``faces`` are measured in; None where it is that of ``luma``
        """
        step = step_of(luma, GRID_PX)
        guide = shrunk(luma, step)
        scale = picture.shape[1] / (frame_width or luma.shape[1])
        self._looks = _looks([face.box * scale for face in faces], picture.shape[:2], self._looks)
        slope, offset = fit(guide, self._steady(self._whole_and_looks(picture, guide.shape), guide))
        return apply(slope, offset, luma, step)

    def on_crops(self, picture: U8, frame_width: int, crops: Sequence[Crop]) -> list[U8]:
        """The same where ``crops`` of heads are alone: (h, w) uint8 for each. The network looks around each, once.

        Where none has moved, its answer serves for two frames: a film's cores have more to do than this.

        picture      (h, w, 3) uint8 RGB: the whole frame, small
        frame_width  width in px of the frame that ``crops`` were cut out of
        """
        grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
        guide = shrunk(grey, step_of(grey, HEAD_GRID_PX))
        looks = _head_looks(crops, picture.shape[:2], picture.shape[1] / frame_width)
        answer, self._answer = self._answer, None
        if answer is None or answer[1].shape != guide.shape or not _still(answer[0], looks):
            answer = self._answer = looks, self._looked(picture, looks, guide.shape)
        slope, offset = fit(guide, self._steady(answer[1], guide))
        return [apply_on_crop(slope, offset, cut, slope.shape[1] / frame_width) for cut in crops]

    def begin(self, frame: Frame) -> None:
        """What comes next is of ``frame``: forget what was before a still or another shot.

        By the frame's own number: live may have dropped the first frame of a shot.
        """
        if frame.still or frame.shot != self._shot:
            self.forget()
        self._shot = None if frame.still else frame.shot

    def forget(self) -> None:
        """The next frame has nothing to do with those before: another shot, a still."""
        self._seen, self._looks, self._answer = None, [], None

    def close(self) -> None:
        """Free the network."""
        self._request = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _people(self, picture: U8, size: tuple[int, int]) -> F32:
        """The network's answer, (h, w) float32, 0..1, in ``size``, (w, h)."""
        small = shrunk(picture, min(picture.shape[:2]) // NET_PX)
        seen = np.asarray(cv2.resize(small, (NET_PX, NET_PX)), np.uint8)
        self._request.infer([seen[None]], share_inputs=True)
        return np.asarray(cv2.resize(self._request.get_output_tensor(0).data, size), np.float32)

    def _whole_and_looks(self, picture: U8, shape: tuple[int, int]) -> F32:
        """Where people are, (h, w) float32 of ``shape``, 0..1: by the looks where there are any."""
        whole = self._people(picture, shape[::-1])
        if not self._looks:
            return whole
        looked, cover = np.zeros_like(whole), np.zeros_like(whole)
        h, w = picture.shape[:2]
        for look in self._looks:
            x0, y0, x1, y1 = look
            place = _place(look, (h, w), shape)
            window = _window(cover[place].shape, (y0 > 0, y1 < h), (x0 > 0, x1 < w))
            people = self._people(np.ascontiguousarray(picture[y0:y1, x0:x1]), window.shape[::-1])
            np.maximum(looked[place], people * window, out=looked[place])
            np.maximum(cover[place], window, out=cover[place])
        excess = float(np.maximum(whole * cover - looked, 0).sum() / (looked.sum() + 1))
        doubt = float(np.interp(excess, ERRS, (0, MAX_DOUBT)))
        beyond = np.maximum((whole - doubt) * (1 / (1 - doubt)), 0)
        within = cover * whole * WHOLE_WEIGHT + looked * (1 - WHOLE_WEIGHT)
        return np.asarray(within + (1 - cover) * beyond, np.float32)

    def _looked(self, picture: U8, looks: Sequence[Box], shape: tuple[int, int]) -> F32:
        """Where people are within ``looks`` alone, (h, w) float32 of ``shape``, 0..1."""
        found = np.zeros(shape, np.float32)
        for look in looks:
            x0, y0, x1, y1 = look
            part = found[_place(look, picture.shape[:2], shape)]
            people = self._people(np.ascontiguousarray(picture[y0:y1, x0:x1]), part.shape[::-1])
            np.maximum(part, people, out=part)
        return found

    def _steady(self, found: F32, guide: U8) -> F32:
        """``found`` mixed with the matte before where ``guide`` is as it was; remembered."""
        grey = cv2.blur(guide, (GRAIN_PX, GRAIN_PX)).astype(np.float32)
        before = self._seen
        if before is None or before.grey.shape != grey.shape:
            self._seen = _Seen(found, grey, np.zeros_like(grey))
            return found
        change = cv2.dilate(cv2.absdiff(grey, before.grey), np.ones((REACH_PX, REACH_PX), np.uint8))
        change = np.asarray(cv2.max(change, before.change * CHANGE_DECAY), np.float32)
        keep = np.clip((MOVED_LEVELS - change) * (KEEP / (MOVED_LEVELS - STILL_LEVELS)), 0, KEEP)
        grey = np.asarray(grey + (before.grey - grey) * keep, np.float32)
        back = before.matte - found
        keep = np.minimum(keep, KEEP + (JUMP_KEEP - KEEP) * 2 * np.abs(back))
        matte = np.asarray(found + back * keep, np.float32)
        self._seen = _Seen(matte, grey, np.asarray(change, np.float32))
        return matte


def compiled(threads: int) -> Any:
    """The network, ready: uint8 (1, 256, 256, 3) RGB -> float32 (256, 256), 0..1 on people. Raises ModelError."""
    try:
        model = openvino_core.read_model(face_models.PERSON_NET)
        config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
        return openvino_core.core().compile_model(model, "CPU", config).create_infer_request()
    except (RuntimeError, EngineError) as error:
        raise ModelError(f"{face_models.PERSON_NET} cannot be read; install streamtoon again") from error


def _looks(faces: Sequence[F32], shape: tuple[int, int], before: Sequence[Box]) -> list[Box]:
    """Squares around ``faces``, (4,) boxes in px of a picture of ``shape``; those of ``before`` while they fit."""
    h, w = shape
    looks: list[Box] = []
    for x0, y0, x1, y1 in sorted(faces, key=lambda box: float(box[0] - box[2])):
        if any(a <= x0 and b <= y0 and x1 <= c and y1 <= d for a, b, c, d in looks):
            continue  # whoever stands beside somebody is seen with them
        side = round(min(LOOK_FACES * float(x1 - x0), h, w))
        if side < MIN_LOOK_PX or side * side >= LOOK_SHARE * h * w:
            continue
        left = round(min(max(0, float(x0 + x1) / 2 - side / 2), w - side))
        top = round(min(max(0, float(y0 + y1) / 2 - side / 3), h - side))  # heads are above the middle
        look = (left, top, left + side, top + side)
        near = LOOK_AGAIN * side
        looks.append(next((b for b in before if max(abs(p - q) for p, q in zip(b, look, strict=True)) <= near), look))
    return looks[:MAX_LOOKS]


def _head_looks(crops: Sequence[Crop], shape: tuple[int, int], scale: float) -> list[Box]:
    """What is looked at around ``crops``, in px of a picture of ``shape``, ``scale`` times as large as their frame."""
    looks: list[Box] = []
    for cut in crops:
        size = cut.image.shape[0]
        inverse = cv2.invertAffineTransform(cut.to_crop)
        x, y = (inverse @ ((size - 1) / 2, (size - 1) / 2, 1) + 0.5) * scale
        half = math.hypot(*inverse[:, 0]) * size / 2 * scale
        x0, y0, x1, y1 = _square(x, y, half, shape)
        if not any(a <= x0 and b <= y0 and x1 <= c and y1 <= d for a, b, c, d in looks):
            looks.append(_square(x, y, HEAD_LOOK * half, shape))
    return looks if len(looks) <= MAX_LOOKS else [(0, 0, shape[1], shape[0]), *looks[:MAX_LOOKS]]


def _still(before: Sequence[Box], now: Sequence[Box]) -> bool:
    """Whether looks are about where they were."""
    return len(before) == len(now) and all(
        max(abs(a - b) for a, b in zip(old, new, strict=True)) <= HEAD_STILL * (new[3] - new[1])
        for old, new in zip(before, now, strict=True)
    )


def _square(x: float, y: float, half: float, shape: tuple[int, int]) -> Box:
    """What there is, a px at least, of the square around (x, y) in a picture of ``shape``; ``half`` its side."""
    h, w = shape
    left, top = min(max(0, math.floor(x - half)), w - 1), min(max(0, math.floor(y - half)), h - 1)
    return left, top, max(left + 1, min(math.ceil(x + half), w)), max(top + 1, min(math.ceil(y + half), h))


def _place(look: Box, of: tuple[int, ...], shape: tuple[int, int]) -> tuple[slice, slice]:
    """Where ``look`` at a picture of the shape ``of`` is in one of ``shape``: an index."""
    (x0, y0, x1, y1), (h, w), (rows, cols) = look, of, shape
    top, left = y0 * rows // h, x0 * cols // w
    return np.s_[top : max(top + 1, y1 * rows // h), left : max(left + 1, x1 * cols // w)]


@lru_cache(16)
def _window(shape: tuple[int, ...], upright: tuple[bool, bool], across: tuple[bool, bool]) -> F32:
    """(h, w) float32: 1 inside, falling to 0 towards those sides (top and bottom, left and right) that are soft."""
    ramps = []
    for length, (start, end) in zip(shape, (upright, across), strict=True):
        place = np.clip((np.arange(length, dtype=np.float32) + 0.5) / (LOOK_RIM * length), 0, 1)
        ramps.append((place if start else 1) * (place[::-1] if end else 1) * np.ones(length, np.float32))
    return np.asarray(np.outer(*ramps), np.float32)
