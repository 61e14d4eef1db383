"""bench flicker: how steady drawings are, for the bare network and for the whole pipeline.

exact_flow  the portrait moves by a motion that is known exactly, so a steady drawing is the one before, moved along:
            mean |G(T x) - T G(x)| over the face, grey levels of 255
clips       mean |out(t) - out(t-1)| / mean |in(t) - in(t-1)| over the face: 1 changes as much as the film does

``net`` draws every frame by itself from a crop that stays where it is. ``pipeline`` is the luma of the picture as it
leaves, within the face's box, as is the film's it is compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from streamtoon.errors import UsageError
from streamtoon.film import reader
from streamtoon.pipeline.crop import Affine, sample, square
from streamtoon.pipeline.toon import Toon
from streamtoon.sources import portrait
from streamtoon.types import U8, Face, Frame

CLIP_FRAMES: Final = 120  # of each clip, at most
WARM_UP_FRAMES: Final = 10  # frames until filters have settled; not counted
EXACT_CLIP: Final = "portrait:90@1280x720"


@dataclass(frozen=True, slots=True)
class Flicker:
    """Both measures, each for the bare net and the pipeline; smaller is steadier."""

    exact_flow: dict[str, float]
    clips: dict[str, dict[str, float]]

    def as_table(self) -> str:
        """Everything, for people."""
        rows = [("exact flow, grey levels", self.exact_flow), *self.clips.items()]
        width = max(len(name) for name, _ in rows)
        lines = [f"{'':{width}}      net  pipeline"]
        return "\n".join([*lines, *(f"{name:{width}}  {r['net']:7.2f}  {r['pipeline']:8.2f}" for name, r in rows)])


def flicker(
    clips: list[str], make_toon: Callable[[], Toon], progress: Callable[[str, float], None] = lambda _, __: None
) -> Flicker:
    """Measure on the portrait and on ``clips``, films with a face in every frame. Raises UsageError without one.

    ``progress`` is told which is next and which share of all is done, 0..1.
    """
    with make_toon() as toon:
        progress("portrait", 0.0)
        exact = {"net": _exact_net(toon), "pipeline": _exact_pipeline(toon)}
    found = {}
    for done, clip in enumerate(clips, 1):
        progress(Path(clip).name, done / (len(clips) + 1))
        with make_toon() as toon, reader.open(clip) as film:
            found[Path(clip).name] = _clip(toon, islice(film.frames(), CLIP_FRAMES), clip)
    return Flicker(exact, found)


def _first_face(toon: Toon, frame: Frame, name: str) -> Face:
    faces: list[Face] = toon.see(frame).faces
    if not faces:
        raise UsageError(f"{name}: no face in its first frame; flicker is measured on a face")
    return max(faces, key=lambda f: float(np.prod(f.box[2:] - f.box[:2])))


def _exact_net(toon: Toon) -> float:
    """The crop of a still, moved by small known motions, against its drawing moved likewise."""
    frames = list(portrait.read("portrait:1@1280x720"))
    size = toon.style.size
    affine = square(_first_face(toon, frames[0], EXACT_CLIP), toon.style.margin, size)
    still = _draw(toon, sample(frames[0], affine, size))
    middle = np.s_[size // 4 : 3 * size // 4, size // 4 : 3 * size // 4]
    differences = []
    for i in range(16):
        turn = cv2.getRotationMatrix2D((size / 2, size / 2), 3 * np.sin(i), 1 + 0.03 * np.cos(2 * i))
        turn[:, 2] += (2.5 * np.cos(3 * i), 2.5 * np.sin(5 * i))
        moved = np.vstack([turn, [0, 0, 1]]) @ np.vstack([affine, [0, 0, 1]])
        drawn = _draw(toon, sample(frames[0], moved[:2], size))
        expected = cv2.warpAffine(still, turn, (size, size), flags=cv2.INTER_LINEAR)
        differences.append(np.abs(drawn[middle].astype(float) - expected[middle]).mean())
    return round(float(np.mean(differences)), 3)


def _draw(toon: Toon, crop: U8) -> U8:
    return np.ascontiguousarray(toon.engine(crop[None])[0, :, :, 0])


def _exact_pipeline(toon: Toon) -> float:
    """Each picture as it leaves against the one before, moved by the portrait's own motion."""
    differences = []
    before: U8 | None = None
    for frame in portrait.read(EXACT_CLIP):
        drawn = toon(frame).planes[0]
        if before is not None and frame.index > WARM_UP_FRAMES:
            a, b = (np.vstack([portrait.motion(i, 1280, 720), [0, 0, 1]]) for i in (frame.index - 1, frame.index))
            flow = (b @ np.linalg.inv(a))[:2]
            expected = cv2.warpAffine(before, flow, (1280, 720), flags=cv2.INTER_LINEAR)
            x, y = portrait.motion(frame.index, 1280, 720) @ (*portrait.FACE_CENTRE, 1)
            face = np.s_[int(y) - 150 : int(y) + 150, int(x) - 120 : int(x) + 120]
            differences.append(np.abs(drawn[face].astype(float) - expected[face]).mean())
        before = drawn
    return round(float(np.mean(differences)), 3)


def _clip(toon: Toon, frames: Iterator[Frame], name: str) -> dict[str, float]:
    fixed: Affine | None = None
    sums: npt.NDArray[np.float64] = np.zeros(4)  # net out, net in, pipeline out, pipeline in
    last: tuple[U8, ...] | None = None
    size = toon.style.size
    middle = np.s_[size // 4 : 3 * size // 4, size // 4 : 3 * size // 4]
    for frame in frames:
        seen = toon.see(frame)
        if not seen.faces:
            continue
        face = max(seen.faces, key=lambda f: float(np.prod(f.box[2:] - f.box[:2])))
        if fixed is None:
            fixed = square(face, toon.style.margin, size)
        cut = sample(frame, fixed, size)
        grey = np.asarray(cv2.cvtColor(cut, cv2.COLOR_RGB2GRAY), np.uint8)
        now = (_draw(toon, cut), grey, toon.blend(toon.draw(seen)).planes[0], frame.planes[0])
        if last is not None and frame.index > WARM_UP_FRAMES:
            x0, y0, x1, y1 = np.maximum(face.box.round().astype(int), 0)
            parts = (middle, middle, np.s_[y0:y1, x0:x1], np.s_[y0:y1, x0:x1])
            sums += [cv2.absdiff(a[part], b[part]).mean() for a, b, part in zip(now, last, parts, strict=True)]
        last = now
    if last is None or not sums[1] or not sums[3]:
        raise UsageError(f"{name}: no face moves in its first {CLIP_FRAMES} frames; flicker is measured on a face")
    return {"net": round(sums[0] / sums[1], 3), "pipeline": round(sums[2] / sums[3], 3)}
