"""Who is in a frame: found, tracked, and chosen as the policy has it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from streamtoon.pipeline import find
from streamtoon.pipeline.crop import view
from streamtoon.pipeline.track import FaceTracker
from streamtoon.privacy.departed_faces import DepartedFaces
from streamtoon.privacy.policy import Policy
from streamtoon.types import U8, Chosen, Face, Frame


@dataclass(frozen=True, slots=True)
class Found:
    """Faces of a frame.

    drawn     those that are drawn
    covered   those that are not, and must not be seen; some may have left half-way
    doubtful  whether a face may be elsewhere than where it is drawn, and would be seen
    """

    drawn: list[Face]
    covered: list[Face]
    doubtful: bool


class People:
    """Remembers faces from frame to frame; call once a frame in order of time. Use as a context manager."""

    def __init__(self, policy: Policy, chosen: Chosen) -> None:
        """Load the detectors. Raises ModelError."""
        self._policy, self._chosen = policy, chosen
        self._find = find.Finder(look=policy.look_frames, in_parts=policy.look_in_parts)
        self._tracks = FaceTracker(policy.coast_seconds)
        self._departed = DepartedFaces()
        self._count = 0
        self._before = Found([], [], doubtful=False)

    def __call__(self, frame: Frame, picture: U8 | None = None) -> Found:
        """The faces of ``frame``; those of a frame before where the policy looks at every few frames alone.

        picture: (h, w, 3) uint8 RGB, the whole frame, smaller: they are found in it, where there is one.
        """
        self._count += 1
        if (self._count - 1) % self._policy.find_frames == 0:
            faces = self._faces(frame, picture)
            drawn, covered = self._policy.choose(faces, self._chosen, frame)
            covered = covered + self._left(faces, frame)
            self._before = Found(drawn, covered, self._policy.in_doubt(faces))
        return self._before

    def _faces(self, frame: Frame, picture: U8 | None) -> list[Face]:
        if picture is None:
            seen = view(frame)
            return self._tracks(self._find(frame, seen), frame.seconds, seen)
        small = replace(frame, planes=(picture,), layout="rgb24")
        scale = np.array([frame.width / small.width, frame.height / small.height], np.float32)
        found = [
            replace(f, box=f.box * np.tile(scale, 2), keypoints=(f.keypoints + 0.5) * scale - 0.5)
            for f in self._find(small)
        ]
        return self._tracks(found, frame.seconds, picture)

    def _left(self, faces: list[Face], frame: Frame) -> list[Face]:
        """Faces that left the frame half-way and would still be seen."""
        if not self._policy.careful:
            return []
        if self._tracks.cut:
            self._departed.forget()
        return self._departed(faces, frame)

    def forget(self) -> None:
        """The next frame has nothing to do with those before. Track ids go on."""
        self._find.forget()
        self._tracks.forget()
        self._departed.forget()
        self._count = 0

    def close(self) -> None:
        """Free the detectors."""
        self._find.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
