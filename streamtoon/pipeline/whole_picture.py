"""How a picture style draws: the whole frame at once, at its working size, in planes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engines import Engine, EngineError
from streamtoon.pipeline.background import Backdrop
from streamtoon.pipeline.people import People
from streamtoon.pipeline.picture import drawn_size, frame_planes, network_input
from streamtoon.pipeline.timings import Meter
from streamtoon.privacy.policy import Policy
from streamtoon.types import U8, Face, Frame, Style


@dataclass(frozen=True, slots=True)
class SeenPicture:
    """A frame, the faces in it, and what is to be drawn.

    picture   (h, w, 3) uint8 RGB, the whole frame as the network takes it
    doubtful  whether a face may be elsewhere than where it is drawn, and would be seen
    """

    frame: Frame
    faces: list[Face]
    picture: U8
    doubtful: bool


@dataclass(frozen=True, slots=True)
class DrawnPicture:
    """What was seen, and its drawing: (h * 3 / 2, w) uint8, I420 planes, full range."""

    seen: SeenPicture
    drawn: U8


class WholePicture:
    """A way of drawing; see ``toon.Way``."""

    def __init__(
        self, style: Style, engine: Engine, policy: Policy, people: People, backdrop: Backdrop | None, *, steady: bool,
        meter: Meter,
    ) -> None:  # fmt: skip
        self._style, self._engine, self._policy, self._people = style, engine, policy, people
        self._backdrop, self._steady, self._meter = backdrop, steady, meter

    def see(self, frame: Frame) -> SeenPicture:
        """Make the network's input and find the faces in it."""
        with self._meter("crop"):
            w, h = drawn_size(frame.width, frame.height, self._style.lines)
            picture = network_input(frame, (w // self._style.scale, h // self._style.scale))
        with self._meter("find"):
            found = self._people(frame, picture)
        return SeenPicture(frame, found.drawn, picture, found.doubtful)

    def draw(self, seen: SeenPicture) -> DrawnPicture:
        """Draw the picture. Raises EngineError when the engine fails."""
        with self._meter("draw"):
            (drawn,) = draw(self._engine, seen.picture[None], self._style.scale)
        return DrawnPicture(seen, drawn)

    def blend(self, drawn: DrawnPicture) -> tuple[U8, ...] | None:
        """The frame's planes drawn; None where they may not leave."""
        with self._meter("blend"):
            return frame_planes(drawn.drawn, drawn.seen.frame)

    def forget(self) -> None:
        """The next frame has nothing to do with those before."""

    def close(self) -> None:
        """Nothing to free."""


def draw(engine: Engine, pictures: U8, scale: int) -> U8:
    """(N, h, w, 3) uint8 RGB -> (N, scale * h * 3 / 2, scale * w) uint8, planes. Raises EngineError."""
    drawn = engine(pictures)
    n, h, w = pictures.shape[:3]
    if drawn.dtype != np.uint8 or drawn.shape != (n, scale * h * 3 // 2, scale * w):
        raise EngineError(f"{engine.name} gave {drawn.dtype} {drawn.shape} for pictures {pictures.shape}")
    return drawn
