"""Frame -> faces, by BlazeFace's short-range and full-range networks.

The short-range detector is quick and exact on large faces but sees faces in shirts and misses distant people, so its
find alone counts only where it is large and sure. Whenever something is small, doubtful or lost, and every so many
frames, the full-range detector decides.
"""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self

import numpy as np

from streamtoon.image.boxes import overlap
from streamtoon.pipeline.blaze_face import FULL_RANGE, SHORT_RANGE, BlazeFace
from streamtoon.pipeline.crop import starts, view, view_step
from streamtoon.privacy.policy import LOOK_FRAMES
from streamtoon.types import U8, Face, Frame

LARGE_FACE_SHARE: Final = 0.35  # of the frame's shorter side: wider faces are the short-range detector's
SURE_SCORE: Final = 0.75  # from which the short-range detector's word alone is enough
TINY_FACE_SHARE: Final = 0.06  # of that side: narrower faces must be surer, since anything round looks like them
MIN_TINY_SCORE: Final = 0.65
MAX_DOUBTFUL_FRAMES: Final = 4  # frames a known face survives on low-confidence finds of the short-range detector
MIN_KNOWN_OVERLAP: Final = 0.5  # intersection over union of a known face and such a find
SAME_FACE_OVERLAP: Final = 0.3  # intersection over union above which two boxes are one face
SQUARE_RATIO: Final = 1.4  # of a picture's sides, up to which a detector sees it whole

Part = tuple[slice, slice]  # rows and columns of a view


class Finder:
    """Finds every face of a frame. Holds the detectors and what it saw last; use as a context manager."""

    def __init__(self, *, min_score: float = 0.5, look: int = LOOK_FRAMES, in_parts: bool = False) -> None:
        """Load both detectors. Raises ModelError.

        ``look``: every so many frames the full-range detector looks for faces that are not known.
        ``in_parts``: at one part of a wide picture each time, where faces known are settled; no frame waits for all.
        """
        self._look, self._in_parts = look, in_parts
        self._short, self._full = BlazeFace(SHORT_RANGE, min_score), BlazeFace(FULL_RANGE, min_score)
        self._count = 0
        self._known: list[tuple[Face, int]] = []  # and for how many frames it was only followed

    def __call__(self, frame: Frame, picture: U8 | None = None) -> list[Face]:
        """Faces of ``frame``, best first, ids not yet set. ``picture``: its ``crop.view``, where it is at hand."""
        picture = view(frame) if picture is None else picture
        near = _detect(self._short, picture, frame, [(slice(None), slice(None))])
        large, tiny = (share * min(frame.width, frame.height) for share in (LARGE_FACE_SHARE, TINY_FACE_SHARE))
        sure = [f for f in near if f.score >= SURE_SCORE and _width(f) >= large]
        lost = [known for known, _ in self._known if not _among(known, sure)]
        looks, since = divmod(self._count, self._look)
        self._count += 1
        due = since == 0
        if sure and not lost and len(sure) == len(near) and not due:
            faces = distinct(sure)
            self._known = [(f, 0) for f in faces]
            return faces
        parts = squares(picture)
        if sure + lost and (self._in_parts or not due):  # what is to be settled, and the part whose turn it is
            doubtful = lost + [f for f in near if not any(f is s for s in sure)]
            chosen = {_home(f, frame, picture, parts) for f in doubtful}
            parts = [parts[i] for i in sorted(chosen | ({looks % len(parts)} if due else set()))]
        found = _detect(self._full, picture, frame, parts)
        far = [f for f in found if f.score >= MIN_TINY_SCORE or _width(f) >= tiny]
        # a large face keeps the short-range keypoints where both agree: they jitter less
        agreed = [f for f in near if _among(f, far) and _width(f) >= large]
        return self._settle(distinct([*sure, *agreed, *far]), near)

    def _settle(self, seen: list[Face], near: list[Face]) -> list[Face]:
        """The faces ``seen``, and those of ``near`` that follow a known face; remembered for the next frame."""
        followed = {
            id(f): doubtful + 1
            for known, doubtful in self._known
            for f in near
            if doubtful < MAX_DOUBTFUL_FRAMES and overlap(f.box, known.box) > MIN_KNOWN_OVERLAP
        }
        faces = distinct([*seen, *(f for f in near if id(f) in followed)])
        self._known = [(f, 0 if any(f is s for s in seen) else followed[id(f)]) for f in faces]
        return faces

    def forget(self) -> None:
        """The next frame has nothing to do with those before."""
        self._known, self._count = [], 0

    def close(self) -> None:
        """Free the detectors."""
        self._short.close()
        self._full.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def distinct(faces: list[Face]) -> list[Face]:
    """The faces without doubles; of two that are one, the earlier in the list stays."""
    kept: list[Face] = []
    for face in faces:
        if not any(overlap(face.box, other.box) > SAME_FACE_OVERLAP or _inside(face, other) for other in kept):
            kept.append(face)
    return kept


def _inside(face: Face, other: Face) -> bool:
    """Whether one face's nose lies in the middle half of the other's box, sizes being alike."""
    low, high = other.box[:2], other.box[2:]
    quarter = (high - low) / 4
    nose = face.keypoints[2]
    alike = 0.5 < _width(face) / max(_width(other), 1e-6) < 2.0
    return alike and bool(np.all(nose > low + quarter) and np.all(nose < high - quarter))


def _among(face: Face, others: list[Face]) -> bool:
    """Whether one of ``others`` is the same face."""
    return any(overlap(face.box, other.box) > SAME_FACE_OVERLAP for other in others)


def _width(face: Face) -> float:
    return float(face.box[2] - face.box[0])


def squares(picture: U8) -> list[Part]:
    """Overlapping squares that cover a picture: a detector that sees a wide picture whole wastes half its pixels."""
    h, w = picture.shape[:2]
    if max(h, w) < SQUARE_RATIO * min(h, w):
        return [(slice(None), slice(None))]
    side = max(min(h, w), max(h, w) // 4)
    return [
        (slice(max(0, round(y)), round(y) + side), slice(max(0, round(x)), round(x) + side))
        for y in starts(h, side)
        for x in starts(w, side)
    ]


def _home(face: Face, frame: Frame, picture: U8, parts: list[Part]) -> int:
    """Index of the part of ``picture`` that holds most of ``face``."""
    box = face.box / view_step(frame.width, frame.height)

    def held(part: Part) -> float:
        rows, columns = part
        corner = np.array([columns.start or 0, rows.start or 0])
        end = np.array([columns.stop or picture.shape[1], rows.stop or picture.shape[0]])
        return float(np.prod(np.maximum(np.minimum(box[2:], end) - np.maximum(box[:2], corner), 0)))

    return max(range(len(parts)), key=lambda i: held(parts[i]))


def _detect(detector: BlazeFace, picture: U8, frame: Frame, parts: list[Part]) -> list[Face]:
    """Faces that ``detector`` sees in ``parts`` of ``picture``, in frame px, best first."""
    step = view_step(frame.width, frame.height)
    faces = []
    for rows, columns in parts:
        corner = np.array([columns.start or 0, rows.start or 0], np.float32)
        for found in detector(picture[rows, columns]):
            box = ((found.box + np.tile(corner, 2)) * step).astype(np.float32)
            keypoints = ((found.keypoints + corner) * step - 0.5).astype(np.float32)
            faces.append(Face(box, keypoints, found.score))
    return sorted(faces, key=lambda f: -f.score)
