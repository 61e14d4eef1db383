"""The nouns: Frame, Face, Crop, Style, OutputFrame. Frozen, validated at the edge, trusted inside."""

from __future__ import annotations

import math
from dataclasses import InitVar, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt

U8 = npt.NDArray[np.uint8]
F32 = npt.NDArray[np.float32]

Layout = Literal["yuv420p", "rgb24"]
Matrix = Literal["bt601", "bt709", "bt2020"]
Region = Literal["face", "head", "person", "frame"]
Background = Literal["keep", "paper", "blur", "draw"]
Matte = Literal["net", "model", "none"]
Output = Literal["rgba", "yuv"]
Chosen = Literal["all", "largest", "centre"]
State = Literal["drawn", "held", "card", "passthrough"]


def one_of(name: str, value: str, allowed: object) -> None:
    """Raise ValueError naming the value seen and the choices when ``value`` is not among ``allowed`` (a Literal)."""
    choices = get_args(allowed)
    if value not in choices:
        raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(choices)}")


@dataclass(frozen=True, slots=True)
class Colour:
    """How the numbers in yuv planes become red, green and blue."""

    matrix: Matrix = "bt709"
    full_range: bool = False

    def __post_init__(self) -> None:
        one_of("matrix", self.matrix, Matrix)


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture in the layout its source speaks. Nobody writes into its planes.

    planes    yuv420p: y (h, w), u and v (ceil(h/2), ceil(w/2)); rgb24: one (h, w, 3). uint8.
    index     0, 1, 2, ... in reading order; a gap means dropped frames
    seconds   presentation time on the source's clock, exact
    colour    how yuv planes encode colours
    duration  seconds for which it is shown, above 0; None where the source does not know
    still     a photograph that stands alone: nothing is remembered for it or from it
    shot      number, from 0, of the shot it belongs to as far as its source knows: tracks, crops, averages and held
              pictures are forgotten at a frame of another one. A number, not a mark on the first frame, because live
              may drop that one
    """

    planes: tuple[U8, ...]
    layout: Layout
    index: int
    seconds: Fraction
    colour: Colour = field(default_factory=Colour)
    duration: Fraction | None = None
    still: bool = False
    shot: int = 0

    def __post_init__(self) -> None:
        check_planes(self.planes, self.layout)
        if self.duration is not None and self.duration <= 0:
            raise ValueError(f"duration is {self.duration}; it must be above 0 seconds, or None")
        if self.shot < 0:
            raise ValueError(f"shot is {self.shot}; it must be 0 or more")

    @property
    def width(self) -> int:
        """Pixels across."""
        return int(self.planes[0].shape[1])

    @property
    def height(self) -> int:
        """Pixels down."""
        return int(self.planes[0].shape[0])


def check_planes(planes: tuple[U8, ...], layout: Layout) -> None:
    """Raise ValueError unless ``planes`` are uint8 and have the shapes ``layout`` asks for."""
    one_of("layout", layout, Layout)
    if any(p.dtype != np.uint8 for p in planes):
        raise ValueError(f"planes are {[str(p.dtype) for p in planes]}; they must be uint8")
    shapes = [p.shape for p in planes]
    if layout == "rgb24":
        good = len(shapes) == 1 and len(shapes[0]) == 3 and shapes[0][2] == 3
    else:
        h, w = shapes[0][:2]
        half = ((h + 1) // 2, (w + 1) // 2)
        good = shapes == [(h, w), half, half]
    if not good or min(shapes[0][:2]) < 1:
        raise ValueError(f"planes of shapes {shapes} are not a {layout} picture")


@dataclass(frozen=True, slots=True)
class Face:
    """One face of one frame.

    box        (4,) float32: x0 y0 x1 y1, frame px
    keypoints  (6, 2) float32, frame px: right eye, left eye, nose, mouth, right ear, left ear (the person's own right)
    score      0..1, the detector's
    id         track id: the same person from frame to frame; -1 before tracking
    found      whether it was found in this frame; otherwise it is where it was last
    """

    box: F32
    keypoints: F32
    score: float
    id: int = -1
    found: bool = True

    def __post_init__(self) -> None:
        if self.box.shape != (4,) or self.keypoints.shape != (6, 2):
            raise ValueError(f"box {self.box.shape} and keypoints {self.keypoints.shape} must be (4,) and (6, 2)")

    @property
    def roll(self) -> float:
        """Degrees, -180 to 180, by which the head is turned in the picture, clockwise; 0 is upright."""
        right, left, _, mouth = self.keypoints[:4].astype(np.float64)
        across, down = left - right, mouth - (right + left) / 2
        x = across + np.array([down[1], -down[0]])  # from both: in profile the eyes alone say little
        return math.degrees(math.atan2(x[1], x[0]))


@dataclass(frozen=True, slots=True)
class Crop:
    """A square cut out of a frame, upright and in the style's size.

    image    (h, w, 3) uint8 RGB
    to_crop  (2, 3) float64 affine, frame px -> crop px
    """

    image: U8
    to_crop: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.image.ndim != 3 or self.image.shape[2] != 3 or self.to_crop.shape != (2, 3):
            raise ValueError(f"image {self.image.shape} and to_crop {self.to_crop.shape} must be (h, w, 3) and (2, 3)")


@dataclass(frozen=True, slots=True)
class Style:
    """A style folder, read and checked.

    onnx        the network. Of a head style: uint8 (N, size, size, 3) RGB -> uint8 (N, size, size, 4) RGBA. Of a
                picture style: uint8 (N, h, w, 3) RGB -> uint8 (N, scale * h * 3 / 2, scale * w), I420 planes, BT.601,
                full range
    output      "rgba" for a head style, "yuv" for a picture style, which draws whole pictures at any height and width
                in multiples of 8
    scale       drawn size over input size; 1 for a head style
    lines       height in px of the 16:9 picture whose number of pixels a picture style draws; see pipeline/picture.py
    size        side of a head style's crop in px
    region      what is drawn when nothing else is asked for
    background  what becomes of the rest of the picture when nothing else is asked for
    matte       where a head's alpha comes from: "net" draws it, "model" asks where people are, "none" has none
    margin      side of a crop in face sizes (face size: see crop.to_square)
    feather     width of the soft border in parts of the crop's side
    paper       RGB of the empty sheet
    """

    name: str
    folder: Path
    onnx: Path
    sha256: str
    output: Output = "rgba"
    scale: int = 1
    lines: int = 720
    size: int = 256
    region: Region = "head"
    background: Background = "keep"
    matte: Matte = "net"
    margin: float = 2.2
    feather: float = 0.08
    paper: tuple[int, int, int] = (255, 255, 255)
    title: str = ""
    licence: str = ""

    def __post_init__(self) -> None:
        one_of("region", self.region, Region)
        one_of("background", self.background, Background)
        one_of("matte", self.matte, Matte)
        one_of("output", self.output, Output)
        if self.scale not in ((1, 2) if self.output == "yuv" else (1,)):
            raise ValueError(f"scale is {self.scale}; it must be 1, or 2 for a style whose output is yuv")
        if not 240 <= self.lines <= 2160:
            raise ValueError(f"lines is {self.lines}; it must be from 240 to 2160")
        if not 64 <= self.size <= 1024 or self.size % 8:
            raise ValueError(f"size is {self.size}; it must be a multiple of 8 from 64 to 1024")
        # a tighter crop or a wider border would let the camera's picture through on the face
        if not 1.8 <= self.margin <= 4.0:
            raise ValueError(f"margin is {self.margin}; it must be from 1.8 to 4 face sizes")
        if not 0.0 < self.feather <= 0.1:
            raise ValueError(f"feather is {self.feather}; it must be above 0 and at most 0.1")
        if len(self.paper) != 3 or not all(0 <= v <= 255 for v in self.paper):
            raise ValueError(f"paper is {self.paper}; it must be three numbers from 0 to 255")

    @property
    def whole_picture(self) -> bool:
        """Whether it draws whole pictures, not the crops of heads."""
        return self.output == "yuv"


SEAL: Final = object()  # only guard.py may use it: tests/test_imports.py fails when another module names it


@dataclass(frozen=True, slots=True)
class OutputFrame:
    """A picture that may leave: the only type a sink accepts, and only ``guard`` makes one.

    planes, layout, index, seconds, colour   as in Frame
    faces   how many faces were drawn into it
    state   drawn | held (the last drawn picture again) | card | passthrough (the frame as it came)
    """

    planes: tuple[U8, ...]
    layout: Layout
    index: int
    seconds: Fraction
    colour: Colour
    faces: int
    state: State
    seal: InitVar[object]  # not kept: dataclasses.replace cannot pass it on

    def __post_init__(self, seal: object) -> None:
        if seal is not SEAL:
            raise TypeError(
                "only streamtoon.privacy.guard makes an OutputFrame: a picture it has not passed must not leave"
            )
        one_of("state", self.state, State)
        check_planes(self.planes, self.layout)

    @property
    def width(self) -> int:
        """Pixels across."""
        return int(self.planes[0].shape[1])

    @property
    def height(self) -> int:
        """Pixels down."""
        return int(self.planes[0].shape[0])
