"""Jobs in child processes: a hostile film or network, or one that takes long, takes nothing else with it.

``start("film", ...)`` calls ``film(tell, ...)`` of this module in a child process, at low priority and with a limit of
memory. ``outcome`` turns what went wrong there into words for the page.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from foundation.child import Child, Tell
from foundation.errors import ChildError
from streamtoon.errors import UsageError

NICENESS: Final = 10  # below whoever is live
SHORT_JOB_TIMEOUT_S: Final = 60.0
MAX_CLAIMED_FPS: Final = 240.0  # frames a second that a film's header may claim
BENCH_CLIP: Final = "portrait:120@1280x720"
MAX_MEMORY_BYTES: Final = 8_000_000_000  # of address space
TRIAL_MEMORY_BYTES: Final = 4_000_000_000  # for a style that is not trusted yet; a good one takes half


def start(job: str, **arguments: Any) -> Child:
    """Begin the job of that name (a function of this module); use it in a ``with`` block."""
    memory = TRIAL_MEMORY_BYTES if job == "trial_drawing" else MAX_MEMORY_BYTES
    return Child(f"{__name__}:{job}", arguments, memory_bytes=memory, nice=NICENESS)


@contextmanager
def outcome() -> Iterator[None]:
    """Within: a child process that gave no result raises UsageError with words for the page."""
    try:
        yield
    except MemoryError:
        raise UsageError("it takes more memory than it may here; give something smaller") from None
    except ChildError as error:
        if error.exception:
            raise UsageError(f"it failed: {error.exception}") from None
        raise UsageError(
            "the work broke off: memory or time ran out, or the file upset a decoder; try a smaller one"
        ) from None


def ask(job: str, **arguments: Any) -> dict[str, Any]:
    """The result of a short job. Raises what it raised, UsageError where it dies or takes over SHORT_JOB_TIMEOUT_S."""
    with outcome(), start(job, **arguments) as child:
        result: dict[str, Any] = child.result(timeout_s=SHORT_JOB_TIMEOUT_S)
        return result


def probe(_: Tell, *, source: str) -> dict[str, Any]:
    """Open a film and decode its first frame: frames a second, about how many, px. Raises as ``reader.open`` does."""
    from streamtoon.film import reader

    with reader.open(source, threads=1) as opened:
        return {"rate": float(opened.rate), "count": opened.count, "size": opened.size}


def film(
    tell: Tell, *, source: str, output: str, style: str, region: str, background: str, private: bool, engine: str,
    threads: int, max_minutes: float,
) -> dict[str, Any]:  # fmt: skip
    """Draw a film; tells ``Progress`` as it goes on, returns the summary. Raises as ``convert`` does."""
    from streamtoon.film import reader
    from streamtoon.pipeline.toon import Toon
    from streamtoon.workflows.convert import Options, Progress, convert
    from streamtoon.workflows.make_toon import make_toon

    with reader.open(source, threads=1) as opened:
        rate, size = float(opened.rate), opened.size
    toons: list[Toon] = []

    def make() -> Toon:
        toons.append(
            make_toon(style, engine=engine, threads=threads, region=region, background=background, private=private)
        )
        return toons[-1]

    def progress(now: Progress) -> None:
        if now.frames > 60 * max_minutes * min(rate, MAX_CLAIMED_FPS) * 1.05:  # a header may lie
            raise UsageError(f"the film is longer than {max_minutes:g} minutes, which is the limit here")
        tell(asdict(now))

    options = Options(source, output, threads=threads, private=private, overwrite=True)
    try:
        summary = convert(options, make, progress)
    finally:
        for toon in toons:
            toon.close()
    return {
        "frames": summary.frames, "faces": summary.faces, "faceless": summary.faceless, "fps": summary.fps,
        "states": dict(summary.states), "notices": summary.notices, "damaged": summary.damaged,
        "engine": f"{toons[0].engine.name} on {toons[0].engine.device}", "size": size,
    }  # fmt: skip


def bench(_: Tell, *, style: str, engine: str, threads: int) -> dict[str, Any]:
    """``streamtoon bench`` on the portrait clip, shorter than the command's: somebody waits for it."""
    from streamtoon.bench.convert import bench as measure
    from streamtoon.bench.convert import portrait_film
    from streamtoon.pipeline.timings import Meter
    from streamtoon.pipeline.toon import Toon
    from streamtoon.workflows.make_toon import make_toon

    def make(meter: Meter) -> Toon:
        return make_toon(style, engine=engine, threads=threads, meter=meter)

    with tempfile.TemporaryDirectory(prefix="streamtoon-bench-") as folder:
        film = portrait_film(Path(folder, "portrait.mp4"), threads, BENCH_CLIP)
        return asdict(measure(str(film), make, threads))


def trial_drawing(_: Tell, *, folder: str, engine: str, threads: int) -> dict[str, Any]:
    """Check a style that is not trusted yet, and draw the embedded portrait with it; what there is to know about it."""
    from engines import EngineError
    from streamtoon.web.style_upload import archive
    from streamtoon.web.style_upload.trial_drawing import draw

    checked = archive.check(Path(folder))
    try:
        drawn = draw(folder, engine, threads)
    except EngineError as error:
        raise UsageError(f"the portrait could not be drawn with it: {error}") from error
    return {"name": checked.style.name, "found": checked.found, **drawn}
