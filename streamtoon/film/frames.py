"""Decoded pictures: what they say of their colours and their turn, and their samples as upright yuv420p planes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Self, cast

import numpy as np
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from streamtoon.film.rotation import Orientation, from_matrix, unpack
from streamtoon.types import U8, Colour, Matrix

PLANAR_FORMATS: Final = frozenset({"yuv420p", "yuvj420p", "yuva420p"})  # their first three planes are used as they lie
# ITU-T H.273
MATRIX_OF_CODE: Final[dict[int, Matrix]] = {1: "bt709", 5: "bt601", 6: "bt601", 9: "bt2020", 10: "bt2020"}
CODE_OF_MATRIX: Final[dict[Matrix, int]] = {"bt601": 6, "bt709": 1, "bt2020": 9}
HD_HEIGHT: Final = 720  # px, from which on colours are BT.709 where the film does not say, as players assume


@dataclass(frozen=True, slots=True)
class ColourTags:
    """What a film says of its colours: ITU-T H.273 code points, 2 (0 for the range) where it says nothing."""

    range: int = 0
    matrix: int = 2
    primaries: int = 2
    transfer: int = 2

    @classmethod
    def of(cls, colour: Colour) -> Self:
        """The tags a film of our own making needs."""
        return cls(int(ColorRange.JPEG if colour.full_range else ColorRange.MPEG), CODE_OF_MATRIX[colour.matrix])


class PlaneReader:
    """Turns the decoded pictures of one film into planes; what it changes is added to ``notices``, one line each.

    matrix        display matrix of the coded pictures, None where there is none
    turn          what makes the coded pictures upright
    colour, tags  how the numbers are to be read, and what the film itself says of that
    """

    def __init__(self, first: VideoFrame, notices: list[str]) -> None:
        self._notices = notices
        self._reformatter = VideoReformatter()
        self._coded_size = (first.width, first.height)
        self.matrix, self.turn = self._read_turn(first)
        form = first.format
        self._is_rgb = form.is_rgb or form.has_palette or form.name.startswith("xyz")
        self.colour, self.tags = self._read_colour(first)
        if form.name not in PLANAR_FORMATS:
            notices.append(f"pictures are brought from {form.name} to yuv420p")
        if any(c.is_alpha for c in form.components) and first.to_ndarray(format="rgba")[..., 3].min() < 255:
            notices.append("transparency is left out")
        if first.interlaced_frame:
            notices.append("interlaced pictures are kept, but marked as progressive")

    def _read_turn(self, first: VideoFrame) -> tuple[tuple[int, ...] | None, Orientation]:
        beside: Mapping[Any, Any] = cast(Any, first.side_data)
        if Type.DISPLAYMATRIX not in beside:
            return None, Orientation()
        matrix = unpack(bytes(beside[Type.DISPLAYMATRIX]))
        turn = from_matrix(matrix)
        if turn is None:
            self._notices.append("the film is not turned by quarters: faces are sought in it as it lies")
        return matrix, turn or Orientation()

    def _read_colour(self, first: VideoFrame) -> tuple[Colour, ColourTags]:
        full = not self._is_rgb and (first.format.name.startswith("yuvj") or first.color_range == ColorRange.JPEG)
        matrix = int(first.colorspace)
        colour = Colour(MATRIX_OF_CODE.get(matrix, "bt709" if first.height >= HD_HEIGHT else "bt601"), full)
        told_range = int(ColorRange.JPEG) if full else int(first.color_range)
        tags = ColourTags(told_range, matrix, int(first.color_primaries), int(first.color_trc))
        if self._is_rgb:  # the matrix is then ours, so the film has to say it
            tags = replace(ColourTags.of(colour), primaries=tags.primaries, transfer=tags.transfer)
        return colour, tags

    def read(self, frame: VideoFrame) -> tuple[U8, ...]:
        """Upright yuv420p planes of ``frame``, where possible in its own memory, which they keep alive."""
        if frame.format.name not in PLANAR_FORMATS or (frame.width, frame.height) != self._coded_size:
            frame = self._converted(frame)
        planes = tuple(_view(p) for p in frame.planes[:3])
        return tuple(self.turn.upright(p) for p in planes) if self.turn else planes

    def _converted(self, frame: VideoFrame) -> VideoFrame:
        width, height = self._coded_size
        if (frame.width, frame.height) != self._coded_size:
            notice = f"frames change their size on the way: all are brought to {width}x{height} px"
            if notice not in self._notices:
                self._notices.append(notice)
        own_range = ColorRange.JPEG if self.colour.full_range else ColorRange.MPEG
        matrix = {"bt709": Colorspace.ITU709, "bt2020": Colorspace.BT2020}.get(self.colour.matrix, Colorspace.ITU601)
        return self._reformatter.reformat(
            frame,
            width,
            height,
            "yuv420p",
            interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND,
            src_colorspace=None if self._is_rgb else matrix,
            dst_colorspace=matrix,
            src_color_range=ColorRange.JPEG if self._is_rgb else own_range,
            dst_color_range=own_range,
            threads=1,
        )


def samples(plane: VideoPlane) -> U8:
    """(rows, bytes a row) of a plane of 8-bit samples, padding and all, where they lie; keeps the frame alive."""
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, abs(plane.line_size))
    return rows[::-1] if plane.line_size < 0 else rows


def _view(plane: VideoPlane) -> U8:
    view = samples(plane)[:, : plane.width]
    view.flags.writeable = False  # the decoder still predicts from them
    return view
