"""make_toon: the one place that builds a Toon from a style, an engine's name and a number of threads."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Literal

import engines
from engines import EngineError
from foundation.cores import available_cores
from streamtoon import style_folder
from streamtoon.errors import UsageError
from streamtoon.pipeline.timings import Meter
from streamtoon.pipeline.toon import Toon
from streamtoon.privacy.policy import default_region
from streamtoon.types import U8, Background, Chosen, Region, Style, one_of
from streamtoon.workflows import engine_choice

Workload = Literal["still", "film", "live"]

log = logging.getLogger(__name__)


def make_toon(
    style: str | Style = style_folder.DEFAULT,
    *,
    engine: str = "auto",
    threads: int | None = None,
    workload: Workload = "film",
    start_on_cpu: bool = False,
    region: str | None = None,
    background: str | U8 | None = None,
    private: bool = False,
    hold: bool = True,
    faces: Chosen = "all",
    meter: Meter | None = None,
    progress: Callable[[str, float], None] = lambda _phase, _share: None,
) -> Toon:
    """A toon that draws in ``style``; whoever made it closes it, and its engine with it.

    style         a shipped style's name, a style folder's path, or a Style that is loaded already
    engine        "auto" or an engine's name, with or without an option: "tensorrt:int8"
    threads       the CPU threads a workflow may use; None for one a core
    workload      "film": drawing heads gets half the threads, the rest read, find and code; otherwise it gets all.
                  "live" also steadies the crops and their drawings from frame to frame; of a picture style "film"
                  does so too
    start_on_cpu  "auto" draws on the CPU at once and changes to a faster engine when that one is ready
    region        face, head, person or frame; None for the style's, or "person" where it would draw the frame live, in
                  private or before a background that is named
    background    keep, paper, blur, draw, or a (h, w, 3) uint8 RGB picture; None for the style's, or paper in private
    private       no undrawn frame leaves; hold: the last drawn frame bridges half a second, otherwise the card at once
    faces         who is drawn: all, largest or centre
    meter         gets the milliseconds of each stage
    progress      told the phase and the share done, 0..1, while a plan is compiled

    Raises UsageError for a style, engine, region or background that does not exist, EngineError where nothing can draw,
    ModelError where a face model cannot be had.
    """
    chosen = style if isinstance(style, Style) else style_folder.load(style)
    check(engine=engine, region=region, background=background if isinstance(background, str) else None)
    people_alone = private or workload == "live" or background is not None
    region = region or default_region(chosen, people_alone=people_alone)
    if region == "person" and not chosen.whole_picture:
        raise UsageError(f"the style {chosen.name} draws heads; region person needs a style that draws whole pictures")
    if region == "frame" and not private and not (background is None or str(background) in {"keep", "draw"}):
        log.warning("region frame draws everything, so a background shows nowhere; choose the region person for it")
    total = available_cores() if threads is None else threads
    # a film of heads keeps every core busy with reading, finding, coding as well: threads that wait for one only spin
    drawing = max(1, total // 2) if workload == "film" and not chosen.whole_picture else total
    load = engine_choice.live if start_on_cpu else engine_choice.load
    return Toon(
        chosen,
        load(engine, chosen, threads=drawing, progress=progress),
        region=region,  # type: ignore[arg-type]  # checked above
        background=background,  # type: ignore[arg-type]
        private=private,
        hold=hold,
        steady=workload == "live" or (workload == "film" and chosen.whole_picture),
        faces=faces,
        meter=meter,
    )


def check(*, engine: str | None = None, region: str | None = None, background: str | None = None) -> None:
    """Raise UsageError for an engine's name, a region or a background that does not exist; None is always right."""
    try:
        if engine is not None:
            engines.known(engine)
        if region is not None:
            one_of("region", region, Region)
        if background is not None:
            one_of("background", background, Background)
    except (EngineError, ValueError) as error:
        raise UsageError(str(error)) from error
