"""Frame -> faces, by MediaPipe Tasks (BlazeFace short and full range, Bazarevsky et al., arXiv 1907.05047).

The short-range detector is quick and exact on large faces but sees faces in shirts and misses distant people, so a
find of its own counts only where it is large and sure. Whenever something is small, doubtful or lost, and every
LOOK-th frame, the full-range detector has the last word.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Final, Self

import numpy as np

from streamtoon.image.boxes import overlap
from streamtoon.pipeline import face_models
from streamtoon.pipeline.crop import starts, view, view_step
from streamtoon.pipeline.mediapipe_tasks import BLANK, image, options, quiet
from streamtoon.types import U8, Face, Frame

LARGE: Final = 0.35  # of the frame's shorter side: wider faces are the short-range detector's
SURE: Final = 0.75
TINY: Final = 0.06  # of that side: narrower faces must be surer, since anything round looks like them
TINY_SCORE: Final = 0.65
LOOK: Final = 10  # frames between two looks with the full-range detector
LOOK_PRIVATE: Final = 3  # where nobody may be seen until then
PATIENCE: Final = 4  # frames for which a known face may go on by the short-range detector's doubtful word alone
SAME: Final = 0.3  # intersection over union above which two boxes are one face


class Finder:
    """Finds every face of a frame. Holds the detectors and what it saw last; use as a context manager."""

    def __init__(self, *, min_score: float = 0.5, look: int = LOOK, in_turn: bool = False) -> None:
        """``look``: every so many frames the full-range detector looks for faces that are not known.

        ``in_turn``: at one part of a wide picture each time, where faces known are settled; no frame waits for all.
        """
        self._look, self._in_turn = look, in_turn
        self._short = _detector("face_detection_short_range.tflite", min_score)
        self._full = _detector("face_detection_full_range_sparse.tflite", min_score)
        self._count = 0
        self._known: list[tuple[Face, int]] = []  # and for how many frames it was only followed

    def __call__(self, frame: Frame, picture: U8 | None = None) -> list[Face]:
        """Faces of ``frame``, best first, ids not yet set. ``picture``: its ``crop.view``, where it is at hand."""
        picture = view(frame) if picture is None else picture
        near = _detect(self._short, picture, frame, [(slice(None), slice(None))])
        large, tiny = (share * min(frame.width, frame.height) for share in (LARGE, TINY))
        sure = [f for f in near if f.score >= SURE and _width(f) >= large]
        lost = [k for k, _ in self._known if not any(overlap(k.box, f.box) > SAME for f in sure)]
        self._count += 1
        looks, since = divmod(self._count - 1, self._look)
        due = since == 0
        if not sure or lost or len(sure) < len(near) or due:
            parts = squares(picture)
            if sure + lost and (self._in_turn or not due):  # what is to be settled, and the part whose turn it is
                doubtful = lost + [f for f in near if not any(f is s for s in sure)]
                chosen = {_home(f, frame, picture, parts) for f in doubtful}
                parts = [parts[i] for i in sorted(chosen | ({looks % len(parts)} if due else set()))]
            far = [f for f in _detect(self._full, picture, frame, parts) if f.score >= TINY_SCORE or _width(f) >= tiny]
            # a large face keeps the short-range keypoints where both agree: they jitter less
            agreed = [f for f in near if any(overlap(f.box, g.box) > SAME for g in far) and _width(f) >= large]
            seen = distinct([*sure, *agreed, *far])
            followed = {
                id(f): n + 1 for k, n in self._known for f in near if n < PATIENCE and overlap(f.box, k.box) > 0.5
            }
            faces = distinct([*seen, *(f for f in near if id(f) in followed)])
            self._known = [(f, 0 if any(f is s for s in seen) else followed[id(f)]) for f in faces]
        else:
            faces = distinct(sure)
            self._known = [(f, 0) for f in faces]
        return faces

    def forget(self) -> None:
        """The next frame has nothing to do with those before."""
        self._known, self._count = [], 0

    def close(self) -> None:
        """Free the detectors; MediaPipe complains at interpreter exit otherwise."""
        with quiet():
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
        if not any(overlap(face.box, other.box) > SAME or _inside(face, other) for other in kept):
            kept.append(face)
    return kept


def _inside(face: Face, other: Face) -> bool:
    """Whether one face's nose lies in the middle half of the other's box, sizes being alike."""
    low, high = other.box[:2], other.box[2:]
    quarter = (high - low) / 4
    nose = face.keypoints[2]
    alike = 0.5 < _width(face) / max(_width(other), 1e-6) < 2.0
    return alike and bool(np.all(nose > low + quarter) and np.all(nose < high - quarter))


def _width(face: Face) -> float:
    return float(face.box[2] - face.box[0])


def _detector(name: str, min_score: float) -> Any:
    from mediapipe.tasks.python import vision

    settings = vision.FaceDetectorOptions(
        base_options=options(face_models.path(name).read_bytes()), min_detection_confidence=min_score
    )
    with quiet():
        detector = vision.FaceDetector.create_from_options(settings)
        detector.detect(image(BLANK))
    return detector


def squares(picture: U8) -> list[tuple[slice, slice]]:
    """Overlapping squares that cover a picture: a detector that sees a wide picture whole wastes half its pixels."""
    h, w = picture.shape[:2]
    if max(h, w) < 1.4 * min(h, w):
        return [(slice(None), slice(None))]
    side = max(min(h, w), max(h, w) // 4)
    return [
        (slice(max(0, round(y)), round(y) + side), slice(max(0, round(x)), round(x) + side))
        for y in starts(h, side)
        for x in starts(w, side)
    ]


def _home(face: Face, frame: Frame, picture: U8, parts: list[tuple[slice, slice]]) -> int:
    """Index of the part of ``picture`` that holds most of ``face``."""
    box = face.box / view_step(frame.width, frame.height)

    def held(part: tuple[slice, slice]) -> float:
        rows, columns = part
        corner = np.array([columns.start or 0, rows.start or 0])
        end = np.array([columns.stop or picture.shape[1], rows.stop or picture.shape[0]])
        return float(np.prod(np.maximum(np.minimum(box[2:], end) - np.maximum(box[:2], corner), 0)))

    return max(range(len(parts)), key=lambda i: held(parts[i]))


def _detect(detector: Any, picture: U8, frame: Frame, parts: list[tuple[slice, slice]]) -> list[Face]:
    """Faces that ``detector`` sees in ``parts`` of ``picture``, in frame px, best first."""
    step = view_step(frame.width, frame.height)
    faces = []
    for rows, columns in parts:
        part = picture[rows, columns]
        corner = np.array([columns.start or 0, rows.start or 0], np.float32)
        size = np.array([part.shape[1], part.shape[0]], np.float32)
        for found in detector.detect(image(part)).detections:
            box = found.bounding_box
            low = corner + np.array([box.origin_x, box.origin_y])
            box_px = (np.concatenate([low, low + np.array([box.width, box.height])]) * step).astype(np.float32)
            keypoints = (np.array([(k.x, k.y) for k in found.keypoints], np.float32) * size + corner) * step - 0.5
            faces.append(Face(box_px, keypoints.astype(np.float32), found.categories[0].score))
    return sorted(faces, key=lambda f: -f.score)
