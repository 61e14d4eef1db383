"""How a picture style draws: the whole frame at once, at its working size, in planes."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from engines import Engine, EngineError
from streamtoon.image.colour import to_yuv
from streamtoon.pipeline.background import Backdrop
from streamtoon.pipeline.blend import blend
from streamtoon.pipeline.close_ups import CloseUp, CloseUps, part
from streamtoon.pipeline.compose import lay
from streamtoon.pipeline.crop import square
from streamtoon.pipeline.head_crops import cover
from streamtoon.pipeline.input_filter import InputFilter
from streamtoon.pipeline.matte import feather
from streamtoon.pipeline.people import Found, People
from streamtoon.pipeline.picture import (
    drawn_size,
    frame_luma,
    frame_planes,
    luma,
    network_input,
    network_planes,
    resized,
)
from streamtoon.pipeline.region_matte import RegionMatte
from streamtoon.pipeline.timings import Meter
from streamtoon.privacy.policy import Policy
from streamtoon.types import U8, Colour, Face, Frame, Style

CLOSE_UP_FEATHER: Final = 0.2  # width of a close-up's soft border in parts of its side


@dataclass(frozen=True, slots=True)
class SeenPicture:
    """A frame, who is in it, and what is to be drawn.

    picture    (h, w, 3) uint8 RGB, the whole frame as the network takes it
    size       width and height of the drawn picture, px
    close_ups  small faces that are drawn by themselves as well
    """

    frame: Frame
    found: Found
    picture: U8
    size: tuple[int, int]
    close_ups: list[CloseUp]

    @property
    def faces(self) -> list[Face]:
        """The faces that are drawn."""
        return self.found.drawn


@dataclass(frozen=True, slots=True)
class DrawnPicture:
    """What was seen, and its drawings: (h * 3 / 2, w) uint8 each, I420 planes, full range.

    close_ups  one for each of what was seen
    matte      (h, w) uint8, 255 where the drawing stands; None where it stands everywhere
    """

    seen: SeenPicture
    drawn: U8
    close_ups: list[U8]
    matte: U8 | None


class WholePicture:
    """A way of drawing; see ``toon.Way``. The matte is made in a thread of its own, beside drawing."""

    def __init__(
        self, style: Style, engine: Engine, policy: Policy, people: People, backdrop: Backdrop | None, *, steady: bool,
        meter: Meter,
    ) -> None:  # fmt: skip
        """Load what says where the drawing stands. Raises ModelError."""
        self._style, self._engine, self._policy, self._people = style, engine, policy, people
        self._backdrop, self._meter = backdrop, meter
        self._steady = InputFilter() if steady else None
        self._close_ups = CloseUps(style.scale, steady=steady)
        self._matte = None if policy.all_drawn else RegionMatte(style, policy)
        self._beside = ThreadPoolExecutor(1, "matte")

    def see(self, frame: Frame) -> SeenPicture:
        """Make the network's input and find the faces in it."""
        with self._meter("crop"):
            size = drawn_size(frame.width, frame.height, self._style.lines)
            picture = network_input(frame, (size[0] // self._style.scale, size[1] // self._style.scale))
        with self._meter("find"):
            found = self._people(frame, picture)
            close_ups = self._close_ups(frame, found.drawn, size[0])
        if self._steady is not None:
            with self._meter("steady"):
                picture = self._steady(picture)
        return SeenPicture(frame, found, picture, size, close_ups)

    def draw(self, seen: SeenPicture) -> DrawnPicture:
        """Draw the picture. Raises EngineError when the engine fails."""
        matte: Future[U8] | None = None
        if self._matte is not None:
            matte = self._beside.submit(self._stands, self._matte, seen)
        with self._meter("draw"):
            (drawn,) = draw(self._engine, seen.picture[None], self._style.scale)
            close_ups: list[U8] = []
            if seen.close_ups:
                close_ups = list(draw(self._engine, np.stack([c.picture for c in seen.close_ups]), self._style.scale))
        return DrawnPicture(seen, drawn, close_ups, None if matte is None else matte.result())

    def blend(self, drawn: DrawnPicture) -> tuple[U8, ...] | None:
        """The frame's planes with the drawing; None where nobody is there to be drawn, or it may not leave."""
        if not self._may_leave(drawn):
            return None
        if not (self._somebody(drawn) or self._policy.background_alone_leaves):
            return None
        with self._meter("blend"):
            return self._blended(drawn)

    def _blended(self, drawn: DrawnPicture) -> tuple[U8, ...]:
        """The frame's planes with the drawing, and behind it what is to stand there."""
        frame, matte = drawn.seen.frame, drawn.matte
        plain = self._policy.background == "paper" and self._backdrop is None
        if matte is not None and plain and not drawn.close_ups:
            # paper is the same at every size: the picture is put on it while it is small
            return frame_planes(on_paper(drawn.drawn, matte, self._style.paper, frame), frame)
        planes = frame_planes(drawn.drawn, frame)
        if drawn.close_ups:
            planes = tuple(p.copy() for p in planes)
            for close_up, detail in zip(drawn.seen.close_ups, drawn.close_ups, strict=True):
                _lay_close_up(planes, close_up, detail)
        if matte is None:
            return planes
        faces = drawn.seen.found.covered
        covers = [cover(square(face, self._style.margin, self._style.size), self._style) for face in faces]
        backdrop = None if self._backdrop is None else self._backdrop.planes(frame)
        below = blend(frame, covers, self._policy.background, self._style.paper, backdrop)
        lay(below, planes, resized(matte, (frame.width, frame.height)))
        return below

    def forget(self) -> None:
        """The next frame that is seen has nothing to do with those before."""
        self._close_ups.forget()
        if self._steady is not None:
            self._steady.forget()

    def _stands(self, matte: RegionMatte, seen: SeenPicture) -> U8:
        """The matte of what was seen."""
        frame = seen.frame
        with self._meter("matte"):
            return matte(frame, seen.faces, seen.picture, frame_luma(frame, seen.size))

    def _may_leave(self, drawn: DrawnPicture) -> bool:
        """Whether the drawings may leave: in private they must hide everybody."""
        if not self._policy.private:
            return True
        seen = drawn.seen
        with self._meter("check"):
            photos = [seen.picture, *(c.picture for c in seen.close_ups)]
            hidden = self._policy.picture_hidden(photos, [luma(d) for d in (drawn.drawn, *drawn.close_ups)])
        return hidden and not seen.found.doubtful

    def _somebody(self, drawn: DrawnPicture) -> bool:
        """Whether anything is drawn."""
        return drawn.matte is None or bool(cv2.minMaxLoc(drawn.matte)[1] > 127)

    def close(self) -> None:
        """Free what says where the drawing stands."""
        self._beside.shutdown()
        if self._matte is not None:
            self._matte.close()


def draw(engine: Engine, pictures: U8, scale: int) -> U8:
    """(N, h, w, 3) uint8 RGB -> (N, scale * h * 3 / 2, scale * w) uint8, planes. Raises EngineError."""
    drawn = engine(pictures)
    n, h, w = pictures.shape[:3]
    if drawn.dtype != np.uint8 or drawn.shape != (n, scale * h * 3 // 2, scale * w):
        raise EngineError(f"{engine.name} gave {drawn.dtype} {drawn.shape} for pictures {pictures.shape}")
    return drawn


def on_paper(drawn: U8, matte: U8, paper: tuple[int, int, int], frame: Frame) -> U8:
    """A network's planes, (h * 3 / 2, w) uint8, on a sheet of ``paper`` (RGB) where ``matte``, (h, w) uint8, has none.

    ``frame``: whose planes they will become, which tells what numbers are that paper.
    """
    matrix = "bt601" if frame.layout == "rgb24" else frame.colour.matrix
    tone = cv2.transform(np.array([[paper]], np.uint8), to_yuv(Colour(matrix, full_range=True)))[0, 0]
    sheet = np.empty_like(drawn)
    planes = network_planes(sheet)
    for plane, level in zip(planes, tone, strict=True):
        plane.fill(level)
    lay(planes, network_planes(drawn), matte)
    return sheet


def _lay_close_up(planes: tuple[U8, ...], close_up: CloseUp, drawn: U8) -> None:
    """Lay a close-up's drawing over ``planes`` of the whole frame, in place, with a soft border."""
    at = close_up.square
    below = tuple(part(plane, at, 1 if i == 0 else 2) for i, plane in enumerate(planes))
    border = resized(feather(256, CLOSE_UP_FEATHER), (at.side, at.side))
    lay(below, frame_planes(drawn, close_up.frame), border)
