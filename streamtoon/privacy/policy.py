"""What the user's wish for privacy means for every stage: decided here once, and asked by the stages."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from engines import MAX_BATCH
from streamtoon.privacy.drawn_check import differs_from_photo, hides_face, hides_picture
from streamtoon.types import U8, Background, Chosen, Crop, Face, Frame, Region, Style

HOLD_SECONDS: Final = Fraction(1, 2)  # for which the last drawn picture stands in for one that may not leave
COAST_SECONDS: Final = Fraction(1, 4)  # for which a face that is no longer found is drawn where it was
PRIVATE_COAST_SECONDS: Final = Fraction(1, 2)  # the same in private: the face may still be there
LOOK_FRAMES: Final = 10  # frames from one look for new faces, with the full-range detector, to the next
PRIVATE_LOOK_FRAMES: Final = 3  # the same in private: nobody may be seen until then
PICTURE_FIND_FRAMES: Final = 3  # from one look for faces to the next where all is drawn whoever is in it
MIN_FACE_PX: Final = 12.0  # a narrower face is not drawn
MAX_ROLL_DEGREES: Final = 60.0  # of a head; beyond it the detectors' keypoints lie beside the face
PRIVATE_OVAL_SCALE: Final = 1.3  # how much larger than a face the oval over it is where the camera's picture is around


@dataclass(frozen=True, slots=True)
class Policy:
    """Answers for one toon.

    private     nobody may be seen as they are in what leaves
    region      what is drawn
    background  what becomes of the rest; "paper" where a picture of the user's stands there
    picture     whether the style draws whole pictures, whoever is in them
    """

    private: bool
    region: Region
    background: Background
    picture: bool = False

    @property
    def careful(self) -> bool:
        """Whether the camera's picture stays around people who must not be seen: what is in doubt is not shown."""
        return self.private and self.region != "frame" and self.background == "keep"

    @property
    def coast_seconds(self) -> Fraction:
        """How long a face that is no longer found is drawn where it was."""
        return PRIVATE_COAST_SECONDS if self.private else COAST_SECONDS

    @property
    def look_frames(self) -> int:
        """Every how many frames that are looked at the full-range detector looks for new faces."""
        if self.drawn_unseen:
            return 1
        return PRIVATE_LOOK_FRAMES if self.private else LOOK_FRAMES

    @property
    def find_frames(self) -> int:
        """Every how many frames faces are looked for at all."""
        return PICTURE_FIND_FRAMES if self.drawn_unseen else 1

    @property
    def all_drawn(self) -> bool:
        """Whether the drawing stands everywhere, and no sample of the frame is left."""
        return self.region == "frame" or self.background == "draw"

    @property
    def drawn_unseen(self) -> bool:
        """Whether nobody can be seen who was not found: faces only tell what is to be drawn larger."""
        return self.picture and (self.all_drawn or (self.region == "person" and self.background != "keep"))

    @property
    def look_in_parts(self) -> bool:
        """Whether such a look may be at one part of the picture: nobody shows before being found."""
        return self.private and not self.careful

    @property
    def oval_scale(self) -> float:
        """How much larger than a face the oval is that is drawn even where the matte sees nobody."""
        return PRIVATE_OVAL_SCALE if self.careful else 1.0

    @property
    def background_alone_leaves(self) -> bool:
        """Whether a background without a face is a picture; in private the guard's held picture or card is shown."""
        return self.background != "keep" and not self.private

    def choose(self, faces: list[Face], which: Chosen, frame: Frame) -> tuple[list[Face], list[Face]]:
        """The faces that are drawn, and those that are covered instead."""
        if not self.private and which == "all":
            return faces, []
        drawn = _chosen(faces, which, frame)
        covered = [f for f in faces if not any(f is d for d in drawn)] if self.private else []
        return drawn, covered

    def in_doubt(self, faces: list[Face]) -> bool:
        """Whether a face may be elsewhere than where it would be drawn, and would then be seen."""
        return self.careful and any(not f.found or abs(f.roll) > MAX_ROLL_DEGREES for f in faces)

    def picture_hidden(self, pictures: list[U8], drawn: list[U8]) -> bool:
        """Whether drawings, (h, w) uint8 luma, hide ``pictures``, (h', w', 3) uint8 RGB; see ``drawn_check``."""
        return all(hides_picture(photo, luma) for photo, luma in zip(pictures, drawn, strict=True))

    def hidden(self, heads: list[Crop], drawn_heads: list[U8], scene: list[Crop], drawn_scene: list[U8]) -> bool:
        """Whether the drawings, (h, w, 4) uint8 RGBA a crop, hide what was photographed; see ``drawn_check``."""
        heads_hidden = all(hides_face(cut, drawn) for cut, drawn in zip(heads, drawn_heads, strict=True))
        return heads_hidden and differs_from_photo(scene, drawn_scene)


def default_region(style: Style, *, people_alone: bool) -> Region:
    """What is drawn where the user does not say: the style's region, or of the frame people alone.

    people_alone: in private and before a camera the room is nobody's business; who names a background wants to see it.
    """
    return "person" if people_alone and style.whole_picture and style.region == "frame" else style.region


def default_background(style_background: Background, *, private: bool) -> Background:
    """The background where the user names none: who asks for privacy does not mean the room to stay."""
    return "paper" if private else style_background


def _chosen(faces: list[Face], which: Chosen, frame: Frame) -> list[Face]:
    """All, the largest or the one nearest the middle; at most MAX_BATCH, none too small."""
    able = [f for f in faces if f.box[2] - f.box[0] >= MIN_FACE_PX]
    able.sort(key=lambda f: -float(np.prod(f.box[2:] - f.box[:2])))
    if which == "centre":
        middle = np.array([frame.width, frame.height]) / 2
        able.sort(key=lambda f: float(np.linalg.norm((f.box[:2] + f.box[2:]) / 2 - middle)))
    return able[: MAX_BATCH if which == "all" else 1]
