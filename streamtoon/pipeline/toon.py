"""Toon: find, track, crop, draw, blend and guard for one frame. live, convert, web and bench are loops around it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import cv2
import numpy as np

from engines import MAX_BATCH, Engine, EngineError
from streamtoon.pipeline import find
from streamtoon.pipeline.background import Backdrop
from streamtoon.pipeline.blend import PasteLayer, blend
from streamtoon.pipeline.crop import Affine, crop, square, tiles, view
from streamtoon.pipeline.framing import CropStabilizer
from streamtoon.pipeline.matte import HeadMatte, feather
from streamtoon.pipeline.opencv_threads import one_thread
from streamtoon.pipeline.temporal_filter import TemporalFilter
from streamtoon.pipeline.timings import Meter
from streamtoon.pipeline.track import FaceTracker
from streamtoon.privacy.departed_faces import DepartedFaces
from streamtoon.privacy.guard import Guard
from streamtoon.privacy.policy import Policy, default_background
from streamtoon.types import U8, Background, Chosen, Crop, Face, Frame, OutputFrame, Region, Style

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


class Toon:
    """Draws frames in one style. Owns the engine, the detectors and what is remembered from frame to frame.

    Calling it does everything; ``stages`` are its parts, so that each can have a thread. Each must be given the frames
    in order; at a still and at a frame of another shot what is remembered is forgotten.
    """

    def __init__(
        self,
        style: Style,
        engine: Engine,
        *,
        region: Region | None = None,
        background: Background | U8 | None = None,
        private: bool = False,
        hold: bool = True,
        steady: bool = False,
        faces: Chosen = "all",
        meter: Meter | None = None,
    ) -> None:
        """Load the detectors; ``engine`` is closed with the toon, or where this fails. Raises ModelError.

        region      what is drawn; None for the style's
        background  what becomes of the rest, or a picture, (h, w, 3) uint8 RGB, to stand there; None for the style's
        private     whether nobody may be seen as they are in what leaves: see ``privacy.policy``
        hold        whether the last drawing stands in for a moment where nothing may leave; else the card does at once
        steady      whether a temporal filter runs over crops and drawings
        faces       which faces are drawn
        meter       is told how long each verb took
        """
        self.style = style
        self.engine = engine
        self.meter = meter or Meter()
        self.region = region or style.region
        if background is None:
            background = default_background(style.background, private=private)
        self.background: Background = background if isinstance(background, str) else "paper"
        self.chosen = faces
        self._backdrop = None if isinstance(background, str) else Backdrop(background)
        self._policy = Policy(private, self.region, self.background)
        self._guard = Guard(private=private, hold=hold, paper=style.paper)
        self._tracks = FaceTracker(self._policy.coast_seconds)
        self._departed = DepartedFaces()
        self._framing = CropStabilizer(style.margin, style.size)
        self._steady = TemporalFilter() if steady else None
        self._shot: int | None = None  # of the frame before; None before the first and after a still
        with contextlib.ExitStack() as stack:
            stack.callback(engine.close)
            # stages and the engine have the cores already; OpenCV's own threads on these small pictures get in the way
            stack.enter_context(one_thread())
            self._find = stack.enter_context(
                find.Finder(look=self._policy.look_frames, in_parts=self._policy.look_in_parts)
            )
            self._matte = None
            if self.region != "frame":
                self._matte = stack.enter_context(HeadMatte(style, self.region, self._policy.oval_scale))
            self._closing = stack.pop_all()

    def __call__(self, frame: Frame) -> OutputFrame:
        """The picture that may leave for ``frame``. Raises EngineError when the engine fails."""
        return self.blend(self.draw(self.see(frame)))

    @property
    def stages(self) -> tuple[Callable[[Any], Any], ...]:
        """What calling it does, in parts that can each have a thread."""
        return (self.see, self.draw, self.blend)

    def see(self, frame: Frame) -> Detected:
        """Find and track the faces, and cut out what is to be drawn."""
        if frame.still or frame.shot != self._shot:
            self._forget()
        self._shot = None if frame.still else frame.shot
        with self.meter("find"):
            picture = view(frame)
            faces = self._tracks(self._find(frame, picture), frame.seconds, picture)
        with self.meter("crop"):
            size, margin = self.style.size, self.style.margin
            scene = tiles(frame, self.style) if self.region == "frame" or self.background == "draw" else []
            drawn, covered = self._policy.choose(faces, self.chosen, frame)
            covers = [square(face, margin, size) for face in covered + self._left(faces, frame)]
            heads = [crop(frame, affine, size) for affine in self._framing(drawn)]
            sequence = 0
            if self._steady is not None:
                heads, sequence = self._steady.crops(drawn, heads)
        return Detected(frame, drawn, scene, heads, covers, sequence, self._policy.in_doubt(faces))

    def draw(self, seen: Detected) -> DrawnCrops:
        """Draw the crops. Raises EngineError when the engine fails."""
        with self.meter("draw"):
            drawn, tiled = draw(self.engine, [*seen.scene, *seen.heads]), len(seen.scene)
        return DrawnCrops(seen, drawn[:tiled], drawn[tiled:])

    def blend(self, drawn: DrawnCrops) -> OutputFrame:
        """Blend the drawings and let the guard decide what leaves."""
        seen = drawn.seen
        if not self._may_leave(drawn):
            return self._guard(seen.frame, None, 0)
        heads = drawn.heads
        if self._steady is not None:
            with self.meter("steady"):
                heads = self._steady.drawings(seen.faces, seen.sequence, heads)
        if not (seen.heads or seen.scene or self._policy.background_alone_leaves):
            return self._guard(seen.frame, None, len(seen.faces))
        alphas = self._alphas(seen, heads)
        with self.meter("blend"):
            border = feather(self.style.size, self.style.feather)
            layers = [_layer(cut, tile, border) for cut, tile in zip(seen.scene, drawn.scene, strict=True)]
            layers += [self._cover(affine) for affine in seen.covers]
            layers += [_layer(*head) for head in zip(seen.heads, heads, alphas, strict=True)]
            backdrop = None if self._backdrop is None else self._backdrop.planes(seen.frame)
            planes = blend(seen.frame, layers, self.background, self.style.paper, backdrop)
        return self._guard(seen.frame, planes, len(seen.faces))

    def undrawn(self, frame: Frame) -> OutputFrame:
        """The frame as it came, by the user's explicit wish; its state says so."""
        return self._guard.undrawn(frame)

    def _forget(self) -> None:
        """The next frame has nothing to do with those before. Crops and averages go by track ids, which are new."""
        self._find.forget()
        self._tracks.forget()
        self._departed.forget()

    def _left(self, faces: list[Face], frame: Frame) -> list[Face]:
        """Faces that left the frame half-way and would still be seen."""
        if not self._policy.careful:
            return []
        if self._tracks.cut:
            self._departed.forget()
        return self._departed(faces, frame)

    def _may_leave(self, drawn: DrawnCrops) -> bool:
        """Whether the drawings may leave: in private they must hide everybody."""
        if not self._policy.private:
            return True
        seen = drawn.seen
        with self.meter("check"):
            hidden = self._policy.hidden(seen.heads, drawn.heads, seen.scene, drawn.scene)
        return hidden and not seen.doubtful

    def _alphas(self, seen: Detected, heads: list[U8]) -> list[U8]:
        """Where each head stands, (size, size) uint8, with the crop's soft border."""
        border = feather(self.style.size, self.style.feather)
        if self._matte is None:
            return [border] * len(heads)
        with self.meter("matte"):
            mattes = [self._matte(*head) for head in zip(seen.heads, heads, seen.faces, strict=True)]
            return [np.asarray(cv2.multiply(m, border, scale=1 / 255), np.uint8) for m in mattes]

    def _cover(self, affine: Affine) -> PasteLayer:
        """A patch of paper over a face that is not drawn."""
        size = self.style.size
        return PasteLayer(np.full((size, size, 3), self.style.paper, np.uint8), feather(size, COVER_FEATHER), affine)

    def close(self) -> None:
        """Free the engine and the detectors."""
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.close()


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


def _layer(cut: Crop, drawn: U8, alpha: U8) -> PasteLayer:
    """A drawing where its crop was cut out."""
    return PasteLayer(np.asarray(cv2.cvtColor(drawn, cv2.COLOR_RGBA2RGB), np.uint8), alpha, cut.to_crop)
