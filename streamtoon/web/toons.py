"""The page's toons: ``workflows.make_toon`` with what the server was started with and what somebody chose."""

from __future__ import annotations

from streamtoon.pipeline.timings import Meter
from streamtoon.pipeline.toon import Toon
from streamtoon.web.settings import Choice, Settings
from streamtoon.workflows.make_toon import make_toon


def live_toon(settings: Settings, choice: Choice, meter: Meter | None = None) -> Toon:
    """A toon for somebody's camera: always private, and drawing at once. Raises as ``make_toon``."""
    return make_toon(
        choice.style, engine=settings.engine, threads=settings.threads, workload="live", start_on_cpu=True,
        region=choice.region, background=choice.background, private=True, meter=meter,
    )  # fmt: skip


def still_toon(settings: Settings, choice: Choice) -> Toon:
    """A toon for photos. Raises as ``make_toon``."""
    return make_toon(
        choice.style, engine=settings.engine, threads=settings.threads,
        workload="film",  # half of the threads: others may be live meanwhile
        region=choice.region, background=choice.background,
    )  # fmt: skip
