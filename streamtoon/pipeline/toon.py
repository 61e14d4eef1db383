"""Toon: find, crop, draw, blend and guard for one frame. live, convert, web and bench are loops around it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import Any, Final, Self

import cv2
import numpy as np

from engines import MAX_BATCH, Engine, EngineError
from streamtoon.pipeline import find, landmarks, matte
from streamtoon.pipeline.blend import PasteLayer, blend, feather, filling, from_rgb, oval
from streamtoon.pipeline.crop import Affine, crop, roll, square, tiles, view
from streamtoon.pipeline.framing import CropStabilizer
from streamtoon.pipeline.temporal_filter import TemporalFilter
from streamtoon.pipeline.timings import Meter
from streamtoon.pipeline.track import COAST_SECONDS, FaceTracker
from streamtoon.privacy.departed_faces import DepartedFaces
from streamtoon.privacy.guard import Guard, differs_from_photo, hides_face
from streamtoon.types import U8, Background, Chosen, Crop, Face, Frame, OutputFrame, Region, Style

SMALL: Final = 12.0  # px: a narrower face is not drawn
UPRIGHT: Final = 60.0  # degrees of roll beyond which the detectors' points lie beside the face
SPARE: Final = 1.3  # how much larger than a face the oval is that hides it where the camera's picture is around it

# a net's matte leans to the person, so that heads have no holes; its faint outer rim would show as a halo
EDGE: Final = np.clip((np.arange(256) - 96) * 255 / 159, 0, 255).round().astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Detected:
    """A frame, the faces in it that are drawn, and what is to be drawn: the scene's tiles, then one crop a face.

    covers   where faces are that are not drawn, (2, 3) affines, frame px -> crop px
    turn     which of the steadied crops these are
    doubtful whether a face may be elsewhere than where it is thought to be
    """

    frame: Frame
    faces: list[Face]
    scene: list[Crop]
    heads: list[Crop]
    covers: list[Affine]
    turn: int
    doubtful: bool


@dataclass(frozen=True, slots=True)
class DrawnCrops:
    """What was seen, and the drawing of each of its crops, (size, size, 4) uint8 RGBA."""

    seen: Detected
    drawn: list[U8]


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
        background: Background | U8 | None = None,
        private: bool = False,
        hold: bool = True,
        steady: bool = False,
        faces: Chosen = "all",
        meter: Meter | None = None,
    ) -> None:
        self.style = style
        self.engine = engine
        self.region = region or style.region
        # who asks for privacy does not mean the room behind the head to stay
        default: Background = "paper" if private else style.background
        self.background: Background = (
            default if background is None else background if isinstance(background, str) else "paper"
        )
        self.chosen = faces
        self._picture = background if isinstance(background, np.ndarray) else None
        self._backdrop: tuple[tuple[object, ...], tuple[U8, ...]] | None = None
        self._framing = CropStabilizer(style.margin, style.size)
        self._steady = TemporalFilter() if steady else None
        self.meter = meter or Meter()
        self._guard = Guard(private=private, hold=hold, paper=style.paper)
        # who asks for privacy has a face that was lost covered for longer: it may still be there
        self._tracks = FaceTracker(Fraction(1, 2) if private else COAST_SECONDS)
        self._feather = feather(style.size, style.feather)
        # the camera's picture stays around somebody who does not want to be seen: what is in doubt is not shown
        self._careful = private and self.region != "frame" and self.background == "keep" and self._picture is None
        self._leaving = DepartedFaces()
        self._oval = oval(style.size, style.margin / (SPARE if self._careful else 1))
        # stages and the engine have the cores already; OpenCV's own threads on these small pictures only get in the way
        cv2.setNumThreads(1)
        with contextlib.ExitStack() as stack:
            stack.callback(engine.close)
            look = find.LOOK_PRIVATE if private else find.LOOK
            # nobody shows before being found, unless the camera's picture stays around those who are
            self._find = stack.enter_context(find.Finder(look=look, in_turn=private and not self._careful))
            self._landmarks = landmarks.Landmarks() if self.region == "face" else None
            needs_mask = self.region == "head" and style.matte == "model"
            self._person = matte.PersonMask() if needs_mask else None
            if self._person is not None:
                stack.callback(self._person.close)
            self._closing = stack.pop_all()

    def __call__(self, frame: Frame) -> OutputFrame:
        """The picture that may leave for ``frame``."""
        return self.blend(self.draw(self.see(frame)))

    @property
    def stages(self) -> tuple[Callable[[Any], Any], ...]:
        """What calling it does, in parts that can each have a thread."""
        return (self.see, self.draw, self.blend)

    def see(self, frame: Frame) -> Detected:
        """Find the faces and cut out what is to be drawn."""
        if frame.layout == "rgb24":  # a still: the one before it may show somebody else
            self._tracks, self._leaving = FaceTracker(), DepartedFaces()
            self._framing = CropStabilizer(self.style.margin, self.style.size)
            self._steady = None if self._steady is None else TemporalFilter()
            self._find.forget()
        with self.meter("find"):
            picture = view(frame)
            faces = self._tracks(self._find(frame, picture), frame.seconds, picture)
        with self.meter("crop"):
            whole = self.region == "frame" or self.background == "draw"
            scene = tiles(frame, self.style) if whole else []
            private = self._guard.private
            drawn = choose(faces, self.chosen, frame) if private or self.chosen != "all" else faces
            hidden = [f for f in faces if not any(f is d for d in drawn)] if private else []
            if self._careful:
                hidden += self._leaving(faces, frame, cut=self._tracks.cut)
            doubtful = any(not f.found or abs(roll(f)) > UPRIGHT for f in faces)
            covers = [square(f, self.style.margin, self.style.size) for f in hidden]
            size = self.style.size
            heads, turn = [crop(frame, affine, size) for affine in self._framing(drawn)], 0
            if self._steady is not None:
                heads, turn = self._steady.crops(drawn, heads)
            return Detected(frame, drawn, scene, heads, covers, turn, doubtful)

    def draw(self, seen: Detected) -> DrawnCrops:
        """Draw the crops."""
        with self.meter("draw"):
            return DrawnCrops(seen, self._run([*seen.scene, *seen.heads]))

    def blend(self, inked: DrawnCrops) -> OutputFrame:
        """Blend the drawings and let the guard decide what leaves."""
        seen, drawn = inked.seen, inked.drawn
        tiled, private = len(seen.scene), self._guard.private
        hidden = all(hides_face(c, d) for c, d in zip(seen.heads, drawn[tiled:], strict=True))
        if private and not (hidden and differs_from_photo(seen.scene, drawn[:tiled])):
            return self._guard(seen.frame, None, 0)
        if self._careful and seen.doubtful:
            return self._guard(seen.frame, None, 0)
        with self.meter("blend"):
            heads = drawn[tiled:]
            if self._steady is not None:
                heads = self._steady.drawings(seen.faces, seen.turn, heads)
            drawings = [self._drawing(c, d, None) for c, d in zip(seen.scene, drawn[:tiled], strict=True)]
            drawings += [self._cover(affine) for affine in seen.covers]
            drawings += [self._drawing(c, d, face) for c, d, face in zip(seen.heads, heads, seen.faces, strict=True)]
            # an empty sheet is a picture of its own in a film; who asks for privacy gets the guard's held one or card
            changed = bool(seen.heads or seen.scene) or (self.background != "keep" and not private)
            backdrop = self._backdrop_for(seen.frame)
            planes = blend(seen.frame, drawings, self.background, self.style.paper, backdrop) if changed else None
        if seen.frame.layout == "rgb24":
            self._guard.forget()
        return self._guard(seen.frame, planes, len(seen.faces))

    def undrawn(self, frame: Frame) -> OutputFrame:
        """The frame as it came, by the user's explicit wish; its state says so."""
        return self._guard.undrawn(frame)

    def _run(self, crops: Sequence[Crop]) -> list[U8]:
        all_drawn: list[U8] = []
        for start in range(0, len(crops), MAX_BATCH):
            some = crops[start : start + MAX_BATCH]
            batch = np.stack([c.image for c in some])
            drawn = self.engine(batch)
            if drawn.dtype != np.uint8 or drawn.shape != (*batch.shape[:3], 4):
                raise EngineError(f"{self.engine.name} gave {drawn.dtype} {drawn.shape} for crops {batch.shape}")
            all_drawn += list(drawn)
        return all_drawn

    def _cover(self, affine: Affine) -> PasteLayer:
        """A patch of paper over a face that is not drawn."""
        size = self.style.size
        sheet = np.full((size, size, 3), self.style.paper, np.uint8)
        return PasteLayer(sheet, feather(size, 0.2), affine)

    def _backdrop_for(self, frame: Frame) -> tuple[U8, ...] | None:
        """The picture behind everything in the frame's own planes; converted when the frame's kind changes."""
        if self._picture is None:
            return None
        kind = (frame.width, frame.height, frame.layout, frame.colour)
        if self._backdrop is None or self._backdrop[0] != kind:
            self._backdrop = (
                kind,
                from_rgb(filling(self._picture, frame.width, frame.height), frame.layout, frame.colour),
            )
        return self._backdrop[1]

    def _drawing(self, cut: Crop, drawn: U8, face: Face | None) -> PasteLayer:
        """A drawn head, or a tile of the scene where there is no ``face``."""
        image = np.asarray(cv2.cvtColor(drawn, cv2.COLOR_RGBA2RGB), np.uint8)
        if face is None or self.region == "frame":
            return PasteLayer(image, self._feather, cut.to_crop)
        head = square(face, self.style.margin, self.style.size)
        if self._landmarks is not None:
            upright = _move(cut.image, cut.to_crop, head)
            matte = _move(self._landmarks.hull(upright, self.style.margin), head, cut.to_crop)
        else:
            net = cv2.LUT(cv2.extractChannel(drawn, 3), EDGE) if self._person is None else self._person(cut.image)
            # a face that was found is drawn, even where the matte sees no person
            matte = np.asarray(cv2.max(net, _move(self._oval, head, cut.to_crop)), np.uint8)
        return PasteLayer(image, np.asarray(cv2.multiply(matte, self._feather, scale=1 / 255)), cut.to_crop)

    def close(self) -> None:
        """Free the engine and the detectors."""
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _move(image: U8, was: Affine, now: Affine) -> U8:
    """(size, size, ...) of one crop of a frame as another crop would show it; both affines frame px -> crop px."""
    shift = now @ np.vstack([cv2.invertAffineTransform(was), [0, 0, 1]])
    return np.asarray(cv2.warpAffine(image, shift, image.shape[1::-1]), np.uint8)


def choose(faces: list[Face], which: Chosen, frame: Frame) -> list[Face]:
    """The faces that are drawn: all, the largest or the one nearest the middle; at most MAX_BATCH, none too small."""
    able = [f for f in faces if f.box[2] - f.box[0] >= SMALL]
    able.sort(key=lambda f: -float(np.prod(f.box[2:] - f.box[:2])))
    if which == "centre":
        middle = np.array([frame.width, frame.height]) / 2
        able.sort(key=lambda f: float(np.linalg.norm((f.box[:2] + f.box[2:]) / 2 - middle)))
    return able[: MAX_BATCH if which == "all" else 1]
