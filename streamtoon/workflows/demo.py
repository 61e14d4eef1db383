"""demo: the embedded portrait, drawn: a clip and a before/after picture."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from streamtoon import sinks
from streamtoon.errors import UsageError
from streamtoon.film.encoder import Encoding
from streamtoon.image.planes import to_rgb
from streamtoon.pipeline.toon import Toon
from streamtoon.sources import portrait
from streamtoon.workflows.convert import Progress
from streamtoon.workflows.threads import every

CLIP_FRAMES: Final = 150
CLIP_SIZE: Final = (1280, 720)


@dataclass(frozen=True, slots=True)
class Made:
    """What the demo left behind, and how fast."""

    clip: Path
    picture: Path
    frames: int
    size: tuple[int, int]
    fps: float


def demo(toon: Toon, folder: str, threads: int, progress: Callable[[Progress], None]) -> Made:
    """Write ``drawn.mp4`` and ``before-after.png`` into ``folder``, which is made where it is not there."""
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder {place}: {error.strerror}; choose another with -o") from error
    clip, picture = place / "drawn.mp4", place / "before-after.png"
    frames = portrait.read(f"portrait:{CLIP_FRAMES}@{CLIP_SIZE[0]}x{CLIP_SIZE[1]}")
    sink = sinks.open(
        str(clip),
        sinks.Options(encoding=Encoding(threads=threads), overwrite=True, rate=Fraction(portrait.FPS)),
    )
    began = time.perf_counter()
    with sink as send, closing(every(frames, *toon.stages)) as pictures:
        for count, drawn in enumerate(pictures, 1):
            send(drawn)
            if count % 8 == 0:
                fps = count / (time.perf_counter() - began)
                progress(Progress(count, CLIP_FRAMES, fps, (CLIP_FRAMES - count) / fps))
    fps = CLIP_FRAMES / (time.perf_counter() - began)
    *_, before = portrait.read(f"portrait:{CLIP_FRAMES}@{CLIP_SIZE[0]}x{CLIP_SIZE[1]}")
    pair = np.hstack(
        [to_rgb(before.planes, before.layout, before.colour), to_rgb(drawn.planes, drawn.layout, drawn.colour)]
    )
    if not cv2.imwrite(str(picture), cv2.cvtColor(pair, cv2.COLOR_RGB2BGR)):
        raise UsageError(f"cannot write {picture}; choose another folder with -o")
    return Made(clip, picture, CLIP_FRAMES, CLIP_SIZE, fps)
