"""The page's toons: ``workflows.make_toon`` with what the server was started with and what somebody chose."""

from __future__ import annotations

from streamtoon import style_folder
from streamtoon.pipeline.timings import Meter
from streamtoon.pipeline.toon import Toon
from streamtoon.privacy.policy import default_background, default_region
from streamtoon.types import Background, Region, Style
from streamtoon.web.settings import Choice, Settings
from streamtoon.workflows.make_toon import make_toon


def live_toon(settings: Settings, choice: Choice, meter: Meter | None = None) -> Toon:
    """A toon for somebody's camera: always private, and drawing at once. Raises as ``make_toon``.

    The region may still be that of the style before.
    """
    style = style_folder.load(choice.style)
    return make_toon(
        style, engine=settings.engine, threads=settings.threads, workload="live", start_on_cpu=True,
        region=choice.region if can_draw(style, choice.region) else None, background=choice.background,
        private=True, meter=meter,
    )  # fmt: skip


def still_toon(settings: Settings, choice: Choice) -> Toon:
    """A toon for photos. Raises as ``make_toon``."""
    return make_toon(
        choice.style, engine=settings.engine, threads=settings.threads,
        workload="film",  # half of the threads: others may be live meanwhile
        region=choice.region, background=choice.background,
    )  # fmt: skip


def can_draw(style: Style, region: Region) -> bool:
    """Whether a style has that region: only those that draw whole pictures draw people."""
    return style.whole_picture or region != "person"


def carried_region(style: Style, region: Region, before: Style, *, private: bool) -> Region:
    """What ``style`` is to draw where ``region`` is chosen and the style was ``before``.

    Its own default where that of ``before`` is chosen, or what it cannot draw.
    """
    kept = region != default_region(before, people_alone=private) and can_draw(style, region)
    return region if kept else default_region(style, people_alone=private)


def carried_background(style: Style, background: Background, before: Style, *, private: bool) -> Background:
    """What stands behind what ``style`` draws where ``background`` is chosen and the style was ``before``."""
    if background != default_background(before.background, private=private):
        return background
    return default_background(style.background, private=private)
