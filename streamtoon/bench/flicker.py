"""bench flicker: how steady drawings are, for the bare network and for the whole pipeline.

exact_flow  the portrait moves by a motion that is known exactly, so a steady drawing is the one before, moved along:
            mean |G(T x) - T G(x)| over the face, grey levels of 255
clips       mean |out(t) - out(t-1)| / mean |in(t) - in(t-1)|: 1 changes as much as the film does. ``net`` and
            ``pipeline`` over the largest face, ``net_frame`` and ``frame`` over the frame, ``still`` (pipeline) where
            the film stands still

``net`` draws every frame by itself, a head style from a crop that stays where it is. ``pipeline`` is the luma of the
picture as it leaves, within the face's box, as is the film's it is compared with. A figure is None where there is
nothing to measure it on.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from streamtoon.errors import UsageError
from streamtoon.film import reader
from streamtoon.pipeline import whole_picture
from streamtoon.pipeline.crop import Affine, sample, square
from streamtoon.pipeline.picture import drawn_size, frame_planes, network_input
from streamtoon.pipeline.toon import Toon
from streamtoon.sources import portrait
from streamtoon.types import U8, Face, Frame

CLIP_FRAMES: Final = 120  # of each clip, at most
WARM_UP_FRAMES: Final = 10  # frames until filters have settled; not counted
EXACT_CLIP: Final = "portrait:90@1280x720"
STILL_LEVELS: Final = 2  # of mean change around it, below which a place of the film stands still
STILL_PX: Final = 15  # side of the square in which that mean is taken
COLUMNS: Final = ("net", "pipeline", "net_frame", "frame", "still")

Figures = dict[str, float | None]  # by COLUMNS; without net_frame for head styles
Luma = Callable[[Frame], U8]  # frame -> (h, w) uint8, the luma of its drawing


@dataclass(frozen=True, slots=True)
class Flicker:
    """Both measures, each for the bare net and the pipeline; smaller is steadier. Median and maximum over the clips."""

    exact_flow: Figures
    clips: dict[str, Figures]
    median: Figures
    maximum: Figures

    def as_table(self) -> str:
        """Everything, for people."""
        rows = [("exact flow, grey levels", self.exact_flow), *self.clips.items()]
        if self.clips:
            rows += [("median", self.median), ("maximum", self.maximum)]
        width = max(len(name) for name, _ in rows)
        columns = [c for c in COLUMNS if any(c in figures for _, figures in rows)]
        lines = [f"{'':{width}}" + "".join(f"{c:>11}" for c in columns)]
        for name, figures in rows:
            lines.append(f"{name:{width}}" + "".join(f"{_told(figures.get(c)):>11}" for c in columns))
        return "\n".join(lines)


def _told(figure: float | None) -> str:
    return "" if figure is None else f"{figure:.2f}"


def flicker(
    clips: list[str], make_toon: Callable[[], Toon], progress: Callable[[str, float], None] = lambda _, __: None
) -> Flicker:
    """Measure on the portrait and on ``clips``, films; of head styles, with a face in them. Raises UsageError without.

    ``progress`` is told which is next and which share of all is done, 0..1.
    """
    with make_toon() as toon:
        progress("portrait", 0.0)
        net = _exact(_bare_luma(toon)) if toon.style.whole_picture else _exact_crop(toon)
        exact: Figures = {"net": net, "pipeline": _exact(lambda frame: toon(frame).planes[0])}
    found = {}
    for done, clip in enumerate(clips, 1):
        progress(Path(clip).name, done / (len(clips) + 1))
        with make_toon() as toon, reader.open(clip) as film:
            found[Path(clip).name] = _clip(toon, islice(film.frames(), CLIP_FRAMES), clip)
    return Flicker(exact, found, _over(found, statistics.median), _over(found, max))


def _over(clips: dict[str, Figures], function: Callable[[list[float]], float]) -> Figures:
    """One figure of all clips' for each column."""
    columns = {name: [v for f in clips.values() if (v := f.get(name)) is not None] for name in COLUMNS}
    return {name: round(function(values), 3) for name, values in columns.items() if values}


def _largest(faces: list[Face]) -> Face | None:
    return max(faces, key=lambda f: float(np.prod(f.box[2:] - f.box[:2])), default=None)


def _bare_luma(toon: Toon) -> Luma:
    """The drawing of a picture style's network alone, at the size of the frame."""
    style = toon.style

    def luma(frame: Frame) -> U8:
        w, h = drawn_size(frame.width, frame.height, style.lines)
        picture = network_input(frame, (w // style.scale, h // style.scale))
        return frame_planes(whole_picture.draw(toon.engine, picture[None], style.scale)[0], frame)[0]

    return luma


def _exact_crop(toon: Toon) -> float:
    """The crop of a still, moved by small known motions, against its drawing moved likewise."""
    (frame,) = portrait.read("portrait:1@1280x720")
    face = _largest(toon.see(frame).faces)
    if face is None:
        raise UsageError(f"{EXACT_CLIP}: no face is found in it; flicker is measured on a face")
    size = toon.style.size
    affine = square(face, toon.style.margin, size)
    still = _draw(toon, sample(frame, affine, size))
    middle = _middle(size)
    differences = []
    for i in range(16):
        turn = cv2.getRotationMatrix2D((size / 2, size / 2), 3 * np.sin(i), 1 + 0.03 * np.cos(2 * i))
        turn[:, 2] += (2.5 * np.cos(3 * i), 2.5 * np.sin(5 * i))
        moved = np.vstack([turn, [0, 0, 1]]) @ np.vstack([affine, [0, 0, 1]])
        drawn = _draw(toon, sample(frame, moved[:2], size))
        expected = cv2.warpAffine(still, turn, (size, size), flags=cv2.INTER_LINEAR)
        differences.append(np.abs(drawn[middle].astype(float) - expected[middle]).mean())
    return round(float(np.mean(differences)), 3)


def _draw(toon: Toon, crop: U8) -> U8:
    return np.ascontiguousarray(toon.engine(crop[None])[0, :, :, 0])


def _middle(size: int) -> tuple[slice, slice]:
    """The half of a head's crop that is all face."""
    return np.s_[size // 4 : 3 * size // 4, size // 4 : 3 * size // 4]


def _exact(luma: Luma) -> float:
    """Each drawing against the one before, moved by the portrait's own motion."""
    differences = []
    before: U8 | None = None
    for frame in portrait.read(EXACT_CLIP):
        drawn = luma(frame)
        if before is not None and frame.index > WARM_UP_FRAMES:
            a, b = (np.vstack([portrait.motion(i, 1280, 720), [0, 0, 1]]) for i in (frame.index - 1, frame.index))
            flow = (b @ np.linalg.inv(a))[:2]
            expected = cv2.warpAffine(before, flow, (1280, 720), flags=cv2.INTER_LINEAR)
            x, y = portrait.motion(frame.index, 1280, 720) @ (*portrait.FACE_CENTRE, 1)
            face = np.s_[int(y) - 150 : int(y) + 150, int(x) - 120 : int(x) + 120]
            differences.append(np.abs(drawn[face].astype(float) - expected[face]).mean())
        before = drawn
    return round(float(np.mean(differences)), 3)


@dataclass(frozen=True, slots=True)
class _Shown:
    """A frame of a clip: its luma, that of the picture as it leaves, None where that is not its drawing, and its face.

    net  what the bare network drew, and of what, (h, w) uint8 each; None for a head style without a face
    """

    film: U8
    drawn: U8 | None
    face: Face | None
    net: tuple[U8, U8] | None


class _Ratio:
    """Change of drawings over change of what was drawn, summed up."""

    def __init__(self) -> None:
        self._drawn = self._film = 0.0

    def add(self, drawn: Any, film: Any) -> None:
        """Differences of two drawings, and of what was drawn, in the same places."""
        self._drawn += float(np.sum(drawn))
        self._film += float(np.sum(film))

    @property
    def value(self) -> float | None:
        """The ratio; None where nothing was drawn that changed."""
        return round(self._drawn / self._film, 3) if self._film else None


def _clip(toon: Toon, frames: Iterator[Frame], name: str) -> Figures:
    pictures = toon.style.whole_picture
    bare = _bare_luma(toon) if pictures else None
    fixed: Affine | None = None
    ratios = {column: _Ratio() for column in COLUMNS if pictures or column != "net_frame"}
    last: _Shown | None = None
    for frame in frames:
        seen = toon.see(frame)
        out, face = toon.blend(toon.draw(seen)), _largest(seen.faces)
        net: tuple[U8, U8] | None = None
        if bare is not None:
            net = bare(frame), frame.planes[0]
        elif face is not None:
            fixed = square(face, toon.style.margin, toon.style.size) if fixed is None else fixed
            cut = sample(frame, fixed, toon.style.size)
            net = _draw(toon, cut), np.asarray(cv2.cvtColor(cut, cv2.COLOR_RGB2GRAY), np.uint8)
        now = _Shown(frame.planes[0], out.planes[0] if out.state == "drawn" else None, face, net)
        if last is not None and frame.index > WARM_UP_FRAMES:
            _add(ratios, last, now)
        last = now
    found = {column: ratio.value for column, ratio in ratios.items()}
    if not pictures and (found["net"] is None or found["pipeline"] is None):
        raise UsageError(f"{name}: no face moves in its first {CLIP_FRAMES} frames; flicker is measured on a face")
    if found["frame"] is None:
        why = "no drawing may leave, or nothing moves"
        raise UsageError(f"{name}: in its first {CLIP_FRAMES} frames {why}; take another film or style")
    return found


def _add(ratios: dict[str, _Ratio], last: _Shown, now: _Shown) -> None:
    """What changed from one frame of a clip to the next."""
    film = cv2.absdiff(now.film, last.film)
    face = None
    if now.face is not None and last.face is not None:
        x0, y0, x1, y1 = np.maximum(now.face.box.round().astype(int), 0)
        face = np.s_[y0:y1, x0:x1]
    if now.net is not None and last.net is not None:
        drawn, seen = (cv2.absdiff(a, b) for a, b in zip(now.net, last.net, strict=True))
        if "net_frame" in ratios:
            ratios["net_frame"].add(drawn, seen)
        if face is not None:
            part = face if "net_frame" in ratios else _middle(len(drawn))
            ratios["net"].add(drawn[part], seen[part])
    if now.drawn is None or last.drawn is None:
        return
    drawn = cv2.absdiff(now.drawn, last.drawn)
    still = cv2.boxFilter(film, cv2.CV_32F, (STILL_PX, STILL_PX)) < STILL_LEVELS
    ratios["frame"].add(drawn, film)
    ratios["still"].add(drawn[still], film[still])
    if face is not None:
        ratios["pipeline"].add(drawn[face], film[face])
