"""Toon: find, track, crop, draw, blend and guard for one frame. live, convert, web and bench are loops around it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, Self

from engines import Engine
from streamtoon.pipeline.background import Backdrop
from streamtoon.pipeline.head_crops import HeadCrops
from streamtoon.pipeline.opencv_threads import one_thread
from streamtoon.pipeline.people import People
from streamtoon.pipeline.timings import Meter
from streamtoon.pipeline.whole_picture import WholePicture
from streamtoon.privacy.guard import Guard
from streamtoon.privacy.policy import Policy, default_background, default_region
from streamtoon.types import U8, Background, Chosen, Face, Frame, OutputFrame, Region, Style


class Seen(Protocol):
    """What ``Way.see`` makes of a frame."""

    @property
    def frame(self) -> Frame:
        """The frame itself."""
        ...

    @property
    def faces(self) -> list[Face]:
        """The faces in it that are drawn."""
        ...


class Drawn(Protocol):
    """What ``Way.draw`` makes of it."""

    @property
    def seen(self) -> Any:
        """What was seen."""
        ...


class Way(Protocol):
    """How a kind of style draws: ``HeadCrops``, ``WholePicture``. Each method belongs to one thread."""

    def see(self, frame: Frame) -> Any:
        """What is to be drawn of a frame, a ``Seen``."""
        ...

    def draw(self, seen: Any) -> Any:
        """Its drawing, a ``Drawn``. Raises EngineError when the engine fails."""
        ...

    def blend(self, drawn: Any) -> tuple[U8, ...] | None:
        """The frame's planes with the drawing; None where nothing was drawn, or nothing may leave."""
        ...

    def forget(self) -> None:
        """The next frame that is seen has nothing to do with those before."""
        ...

    def close(self) -> None:
        """Free what it loaded."""
        ...


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
        """Load the detectors; ``engine`` is closed with the toon, or where this fails.

        Raises ModelError, and ValueError for a head style with region "person".

        region      what is drawn; None for the style's, or people in private where it draws whole pictures
        background  what becomes of the rest, or a picture, (h, w, 3) uint8 RGB, to stand there; None for the style's,
                    or paper in private
        private     whether nobody may be seen as they are in what leaves: see ``privacy.policy``
        hold        whether the last drawing stands in for a moment where nothing may leave; else the card does at once
        steady      whether what is drawn is averaged over time where it stands still
        faces       which faces are drawn
        meter       is told how long each verb took
        """
        self.style = style
        self.engine = engine
        self.meter = meter or Meter()
        self.region = region or default_region(style, people_alone=private)
        if background is None:
            background = default_background(style.background, private=private)
        self.background: Background = background if isinstance(background, str) else "paper"
        self.chosen = faces
        backdrop = None if isinstance(background, str) else Backdrop(background)
        policy = Policy(private, self.region, self.background, style.whole_picture)
        self._guard = Guard(private=private, hold=hold, paper=style.paper)
        self._shot: int | None = None  # of the frame before; None before the first and after a still
        kind = WholePicture if style.whole_picture else HeadCrops
        with contextlib.ExitStack() as stack:
            stack.callback(engine.close)
            # stages and the engine have the cores already; OpenCV's own threads on these small pictures get in the way
            stack.enter_context(one_thread())
            self._people = stack.enter_context(People(policy, faces))
            self._way: Way = kind(style, engine, policy, self._people, backdrop, steady=steady, meter=self.meter)
            stack.callback(self._way.close)
            self._closing = stack.pop_all()

    def __call__(self, frame: Frame) -> OutputFrame:
        """The picture that may leave for ``frame``. Raises EngineError when the engine fails."""
        return self.blend(self.draw(self.see(frame)))

    @property
    def stages(self) -> tuple[Callable[[Any], Any], ...]:
        """What calling it does, in parts that can each have a thread."""
        return (self.see, self.draw, self.blend)

    def see(self, frame: Frame) -> Any:
        """Find and track the faces, and cut out what is to be drawn: a ``Seen``."""
        if frame.still or frame.shot != self._shot:
            self._people.forget()
            self._way.forget()
        self._shot = None if frame.still else frame.shot
        return self._way.see(frame)

    def draw(self, seen: Any) -> Any:
        """Draw what was seen: a ``Drawn``. Raises EngineError when the engine fails."""
        return self._way.draw(seen)

    def blend(self, drawn: Any) -> OutputFrame:
        """Blend the drawings and let the guard decide what leaves."""
        return self._guard(drawn.seen.frame, self._way.blend(drawn), len(drawn.seen.faces))

    def undrawn(self, frame: Frame) -> OutputFrame:
        """The frame as it came, by the user's explicit wish; its state says so."""
        return self._guard.undrawn(frame)

    def close(self) -> None:
        """Free the engine and the detectors."""
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.close()
