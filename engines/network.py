"""What a network maps: the contract between engines and the files that they run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from foundation.errors import EngineError

U8 = npt.NDArray[np.uint8]

MAX_BATCH: Final = 8
STEP: Final = 8  # height and width of a whole picture are multiples of it
KEPT_SHAPES: Final = 3  # that an engine keeps something for: whole pictures, faces drawn again, what came before
SCALES: Final = (1, 2)  # drawn size over input size
TRIED_PX: Final = 64  # side of the picture by which a reader of networks finds the scale


@dataclass(frozen=True, slots=True)
class Network:
    """What one ONNX file maps.

    size   side in px of the crops of a head network: uint8 (N, size, size, 3) RGB -> uint8 (N, size, size, 4) RGBA.
           0 for a picture network: uint8 (N, h, w, 3) RGB -> uint8 (N, scale * h * 3 / 2, scale * w), I420 planes
    scale  drawn size over input size; 0 where the file does not tell it: then the drawing does
    """

    size: int
    scale: int = 1

    def __str__(self) -> str:
        if self.whole_picture:
            return "draws whole pictures" + ("", " as large as they are", " twice as large")[self.scale]
        return f"draws crops of {self.size} px"

    @property
    def whole_picture(self) -> bool:
        """Whether it draws whole pictures, not the crops of heads."""
        return self.size == 0

    def check(self, pictures: U8, most: int = MAX_BATCH) -> None:
        """Raise EngineError unless the network takes ``pictures``, of which there are ``most`` at most."""
        check_pictures(pictures, self.size or None, most)
        if self.whole_picture and any(side % STEP or not side for side in pictures.shape[1:3]):
            raise EngineError(f"pictures are {pictures.shape}; their height and width must be multiples of {STEP}")

    def drawn(self, h: int, w: int) -> tuple[int, ...]:
        """Sides of the drawing of one picture of h x w px; the scale must be known."""
        return (3 * self.scale * h // 2, self.scale * w) if self.whole_picture else (h, w, 4)

    def check_drawn(self, pictures: U8, drawn: U8) -> None:
        """Raise EngineError unless ``drawn`` is what such a network makes of ``pictures``."""
        known = [self] if self.scale else [replace(self, scale=scale) for scale in SCALES]
        allowed = [(len(pictures), *one.drawn(*pictures.shape[1:3])) for one in known]
        if drawn.dtype != np.uint8 or drawn.shape not in allowed:
            wanted = " or ".join(map(str, allowed))
            raise EngineError(f"the network drew {drawn.dtype} {drawn.shape} of {pictures.shape}, not uint8 {wanted}")


def declared(kinds: Sequence[str], fed: Sequence[int], made: Sequence[int]) -> Network:
    """The network by what its file declares of its one input and its one output. Raises EngineError.

    kinds: their types, "uint8" where they are right; fed, made: their sides, 0 where any is taken.
    """
    head = len(fed) == len(made) == 4 and fed[1] == fed[2] > 0 and made[3] == 4
    picture = len(fed) == 4 and fed[1] == fed[2] == 0 and len(made) == 3
    if list(kinds) != ["uint8", "uint8"] or list(fed[3:]) != [3] or not (head or picture):
        ends = [f"{kinds[i]} [{','.join(str(n or '?') for n in sides)}]" for i, sides in enumerate((fed, made))]
        raise EngineError(
            f"the network maps {ends[0]} to {ends[1]}; it must map uint8 [?,S,S,3] to uint8 [?,S,S,4], "
            "or uint8 [?,?,?,3] to uint8 [?,?,?], I420 planes"
        )
    return Network(fed[1]) if head else Network(0, 0)


def scale_of(made: Sequence[int]) -> int:
    """The scale of a picture network that makes sides ``made`` of one picture of TRIED_PX px. Raises EngineError."""
    for scale in SCALES:
        if list(made) == [1, 3 * scale * TRIED_PX // 2, scale * TRIED_PX]:
            return scale
    raise EngineError(
        f"the network makes {list(made)} of a picture of {TRIED_PX} px, not I420 planes once or twice as large"
    )


def check_pictures(pictures: U8, size: int | None, most: int = MAX_BATCH) -> None:
    """Raise EngineError unless ``pictures`` keep the contract of engines; ``size`` is their side, if it is given.

    most: pictures at most; a TensorRT plan may be built for more than MAX_BATCH, to measure.
    """
    shape = pictures.shape
    good = pictures.dtype == np.uint8 and len(shape) == 4 and shape[3] == 3 and 1 <= shape[0] <= most
    if not good or (size is not None and shape[1:3] != (size, size)):
        wanted = f"(1..{most}, {size or 'h'}, {size or 'w'}, 3)"
        raise EngineError(f"pictures are {pictures.dtype} {shape}; they must be uint8 {wanted}")
