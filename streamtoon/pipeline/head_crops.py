"""How a head style draws: a square around each head, and tiles of the whole frame where that is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from engines import MAX_BATCH, Engine, EngineError
from streamtoon.pipeline.background import Backdrop
from streamtoon.pipeline.blend import PasteLayer, blend
from streamtoon.pipeline.crop import Affine, crop, square, tiles
from streamtoon.pipeline.framing import CropStabilizer
from streamtoon.pipeline.matte import HeadMattes, feather
from streamtoon.pipeline.people import People
from streamtoon.pipeline.temporal_filter import TemporalFilter
from streamtoon.pipeline.timings import Meter
from streamtoon.privacy.policy import Policy
from streamtoon.types import U8, Crop, Face, Frame, Style

COVER_FEATHER: Final = 0.2  # width of the soft border of a patch of paper over a face, in parts of its side


@dataclass(frozen=True, slots=True)
class Detected:
    """A frame, the faces in it that are drawn, and what is to be drawn: the scene's tiles, then one crop a face.

    covers    where faces are that are not drawn, (2, 3) affines, frame px -> crop px
    sequence  number of the temporal filter's crops, 0 without it
    doubtful  whether a face may be elsewhere than where it is drawn, and would be seen
    """

    frame: Frame
    faces: list[Face]
    scene: list[Crop]
    heads: list[Crop]
    covers: list[Affine]
    sequence: int
    doubtful: bool


@dataclass(frozen=True, slots=True)
class DrawnCrops:
    """What was seen, and the drawing of each of its crops, (size, size, 4) uint8 RGBA."""

    seen: Detected
    scene: list[U8]
    heads: list[U8]


class HeadCrops:
    """A way of drawing; see ``toon.Way``."""

    def __init__(
        self, style: Style, engine: Engine, policy: Policy, people: People, backdrop: Backdrop | None, *, steady: bool,
        meter: Meter,
    ) -> None:  # fmt: skip
        """Load what says where a head stands. Raises ModelError."""
        self._style, self._engine, self._policy, self._people = style, engine, policy, people
        self._backdrop, self._meter = backdrop, meter
        self._framing = CropStabilizer(style.margin, style.size)
        self._steady = TemporalFilter() if steady else None
        self._matte = None if policy.region == "frame" else HeadMattes(style, policy.region, policy.oval_scale)

    def see(self, frame: Frame) -> Detected:
        """Find and track the faces, and cut out what is to be drawn."""
        with self._meter("find"):
            found = self._people(frame)
        with self._meter("crop"):
            size, margin = self._style.size, self._style.margin
            tiled = self._policy.region == "frame" or self._policy.background == "draw"
            scene = tiles(frame, self._style) if tiled else []
            covers = [square(face, margin, size) for face in found.covered]
            heads = [crop(frame, affine, size) for affine in self._framing(found.drawn)]
            sequence = 0
            if self._steady is not None:
                heads, sequence = self._steady.crops(found.drawn, heads)
        return Detected(frame, found.drawn, scene, heads, covers, sequence, found.doubtful)

    def draw(self, seen: Detected) -> DrawnCrops:
        """Draw the crops. Raises EngineError when the engine fails."""
        with self._meter("draw"):
            drawn, tiled = draw(self._engine, [*seen.scene, *seen.heads]), len(seen.scene)
        return DrawnCrops(seen, drawn[:tiled], drawn[tiled:])

    def blend(self, drawn: DrawnCrops) -> tuple[U8, ...] | None:
        """The frame's planes with the drawings in them; None where there are none, or may not leave."""
        seen = drawn.seen
        if not self._may_leave(drawn):
            return None
        heads = drawn.heads
        if self._steady is not None:
            with self._meter("steady"):
                heads = self._steady.drawings(seen.faces, seen.sequence, heads)
        if not (seen.heads or seen.scene or self._policy.background_alone_leaves):
            return None
        alphas = self._alphas(seen, heads)
        with self._meter("blend"):
            border = feather(self._style.size, self._style.feather)
            layers = [_layer(cut, tile, border) for cut, tile in zip(seen.scene, drawn.scene, strict=True)]
            layers += [cover(affine, self._style) for affine in seen.covers]
            layers += [_layer(*head) for head in zip(seen.heads, heads, alphas, strict=True)]
            backdrop = None if self._backdrop is None else self._backdrop.planes(seen.frame)
            return blend(seen.frame, layers, self._policy.background, self._style.paper, backdrop)

    def forget(self) -> None:
        """Crops and averages go by track ids, which are new."""

    def _may_leave(self, drawn: DrawnCrops) -> bool:
        """Whether the drawings may leave: in private they must hide everybody."""
        if not self._policy.private:
            return True
        seen = drawn.seen
        with self._meter("check"):
            hidden = self._policy.hidden(seen.heads, drawn.heads, seen.scene, drawn.scene)
        return hidden and not seen.doubtful

    def _alphas(self, seen: Detected, heads: list[U8]) -> list[U8]:
        """Where each head stands, (size, size) uint8, with the crop's soft border."""
        border = feather(self._style.size, self._style.feather)
        if self._matte is None:
            return [border] * len(heads)
        with self._meter("matte"):
            mattes = self._matte(seen.frame, seen.faces, seen.heads, heads)
            return [np.asarray(cv2.multiply(m, border, scale=1 / 255), np.uint8) for m in mattes]

    def close(self) -> None:
        """Free what says where a head stands."""
        if self._matte is not None:
            self._matte.close()


def draw(engine: Engine, crops: Sequence[Crop]) -> list[U8]:
    """(size, size, 4) uint8 RGBA for each crop, in batches of at most MAX_BATCH. Raises EngineError."""
    drawings: list[U8] = []
    for start in range(0, len(crops), MAX_BATCH):
        batch = np.stack([c.image for c in crops[start : start + MAX_BATCH]])
        drawn = engine(batch)
        if drawn.dtype != np.uint8 or drawn.shape != (*batch.shape[:3], 4):
            raise EngineError(f"{engine.name} gave {drawn.dtype} {drawn.shape} for crops {batch.shape}")
        drawings += list(drawn)
    return drawings


def cover(affine: Affine, style: Style) -> PasteLayer:
    """A patch of paper over a face that is not drawn."""
    paper = np.full((style.size, style.size, 3), style.paper, np.uint8)
    return PasteLayer(paper, feather(style.size, COVER_FEATHER), affine)


def _layer(cut: Crop, drawn: U8, alpha: U8) -> PasteLayer:
    """A drawing where its crop was cut out."""
    return PasteLayer(np.asarray(cv2.cvtColor(drawn, cv2.COLOR_RGBA2RGB), np.uint8), alpha, cut.to_crop)
