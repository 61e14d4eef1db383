"""Toon: find, crop, draw, blend and guard for one frame. live, convert, web and bench are loops around it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import cv2
import numpy as np

from engines import MAX_BATCH, Engine, EngineError
from streamtoon import find
from streamtoon.blend import Drawing, blend, feather, oval
from streamtoon.crop import crop, tiles, view
from streamtoon.guard import Guard
from streamtoon.meter import Meter
from streamtoon.smooth import Tracks
from streamtoon.types import U8, Background, Crop, Drawn, Face, Frame, Region, Style

# a net's matte leans to the person, so that heads have no holes; its faint outer rim would show as a halo
EDGE: Final = np.clip((np.arange(256) - 96) * 255 / 159, 0, 255).round().astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame, the faces in it and what is to be drawn: first the scene's tiles, then one crop a face."""

    frame: Frame
    faces: list[Face]
    scene: list[Crop]
    heads: list[Crop]


@dataclass(frozen=True, slots=True)
class Inked:
    """What was seen, and each of its crops with its drawing, (size, size, 4) uint8 RGBA."""

    seen: Seen
    drawn: list[tuple[Crop, U8]]


class Toon:
    """Draws frames in one style. Owns the engine, the detectors and what is remembered from frame to frame.

    Calling it does everything; ``stages`` are its parts, so that each can have a thread. Each must be given the frames
    in order. Raises EngineError when the engine fails.
    """

    def __init__(
        self,
        style: Style,
        engine: Engine,
        *,
        region: Region | None = None,
        background: Background | None = None,
        private: bool = False,
        meter: Meter | None = None,
    ) -> None:
        self.style = style
        self.engine = engine
        self.region = region or style.region
        # who asks for privacy does not mean the room behind the head to stay
        self.background = background or ("paper" if private else style.background)
        self.meter = meter or Meter()
        self._guard = Guard(private=private, paper=style.paper)
        self._tracks = Tracks()
        self._feather = feather(style.size, style.feather)
        self._oval = oval(style.size, style.margin)
        # stages and the engine have the cores already; OpenCV's own threads on these small pictures only get in the way
        cv2.setNumThreads(1)
        with contextlib.ExitStack() as stack:
            stack.callback(engine.close)
            self._find = stack.enter_context(find.Finder())
            self._landmarks = find.Landmarks() if self.region == "face" else None
            needs_mask = self.region == "head" and style.matte == "model"
            self._person = find.PersonMask() if needs_mask else None
            if self._person is not None:
                stack.callback(self._person.close)
            self._closing = stack.pop_all()

    def __call__(self, frame: Frame) -> Drawn:
        """The picture that may leave for ``frame``."""
        return self.blend(self.draw(self.see(frame)))

    @property
    def stages(self) -> tuple[Callable[[Any], Any], ...]:
        """What calling it does, in parts that can each have a thread."""
        return (self.see, self.draw, self.blend)

    def see(self, frame: Frame) -> Seen:
        """Find the faces and cut out what is to be drawn."""
        if frame.layout == "rgb24":  # a still: the one before it may show somebody else
            self._tracks = Tracks()
            self._find.forget()
        with self.meter("find"):
            picture = view(frame)
            faces = self._tracks(self._find(frame, picture), frame.seconds, picture)
        with self.meter("crop"):
            whole = self.region == "frame" or self.background == "draw"
            scene = tiles(frame, self.style) if whole else []
            return Seen(frame, faces, scene, [crop(frame, face, self.style) for face in faces])

    def draw(self, seen: Seen) -> Inked:
        """Draw the crops."""
        with self.meter("draw"):
            return Inked(seen, self._run([*seen.scene, *seen.heads]))

    def blend(self, inked: Inked) -> Drawn:
        """Blend the drawings and let the guard decide what leaves."""
        seen, drawn = inked.seen, inked.drawn
        with self.meter("blend"):
            drawings = [self._drawing(c, d, on_scene=i < len(seen.scene)) for i, (c, d) in enumerate(drawn)]
            # an empty sheet is a picture of its own in a film; who asks for privacy gets the guard's held one or card
            changed = bool(drawings) or (self.background != "keep" and not self._guard.private)
            planes = blend(seen.frame, drawings, self.background, self.style.paper) if changed else None
        if seen.frame.layout == "rgb24":
            self._guard.forget()
        return self._guard(seen.frame, planes, len(seen.faces))

    def _run(self, crops: Sequence[Crop]) -> list[tuple[Crop, U8]]:
        pairs: list[tuple[Crop, U8]] = []
        for start in range(0, len(crops), MAX_BATCH):
            some = crops[start : start + MAX_BATCH]
            batch = np.stack([c.image for c in some])
            drawn = self.engine(batch)
            if drawn.dtype != np.uint8 or drawn.shape != (*batch.shape[:3], 4):
                raise EngineError(f"{self.engine.name} gave {drawn.dtype} {drawn.shape} for crops {batch.shape}")
            pairs += zip(some, drawn, strict=True)
        return pairs

    def _drawing(self, cut: Crop, drawn: U8, *, on_scene: bool) -> Drawing:
        image = np.asarray(cv2.cvtColor(drawn, cv2.COLOR_RGBA2RGB), np.uint8)
        if on_scene or self.region == "frame":
            return Drawing(image, self._feather, cut.to_crop)
        if self._landmarks is not None:
            matte = self._landmarks.hull(cut.image, self.style.margin)
        elif self._person is not None:
            matte = np.maximum(self._person(cut.image), self._oval)
        else:
            # a face that was found is drawn, even where the matte sees no person
            matte = np.maximum(cv2.LUT(drawn[:, :, 3], EDGE), self._oval)
        return Drawing(image, np.asarray(cv2.multiply(matte, self._feather, scale=1 / 255)), cut.to_crop)

    def close(self) -> None:
        """Free the engine and the detectors."""
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.close()
