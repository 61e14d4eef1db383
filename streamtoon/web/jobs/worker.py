"""Jobs in a process of their own: a hostile film or network, or one that takes long, takes nothing else with it.

``start("film", ...)`` runs ``film(...)`` there, at low priority; what it says comes as one JSON object a line, the last
of which has the key "done" or "error".
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

CHILD: Final = "from streamtoon.web.jobs import worker; worker.run()"
NICENESS: Final = 10  # below whoever is live
SHORT_JOB_TIMEOUT_S: Final = 60.0  # seconds that a short job may take
MAX_CLAIMED_FPS: Final = 240.0  # frames a second that a film may claim
BENCH_CLIP: Final = "portrait:120@1280x720"
MAX_MEMORY_BYTES: Final = 8_000_000_000  # bytes of address space at most
TRIAL_MEMORY_BYTES: Final = 4_000_000_000  # for a style that is not trusted yet; a good one takes half

Say = Callable[[dict[str, Any]], None]


def start(job: str, **arguments: Any) -> subprocess.Popen[str]:
    """Begin a job; it imports from where we do."""
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, job, json.dumps(arguments)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip


def said(process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    """What a job says, until it ends; the last has "done" or "error"."""
    last: dict[str, Any] = {}
    for line in process.stdout or ():
        try:
            last = json.loads(line)
        except ValueError:
            continue
        yield last
    process.wait()
    if "done" not in last and "error" not in last:
        yield {"error": "the work broke off: memory or time ran out, or the file upset a decoder; try a smaller one"}


def stop(process: subprocess.Popen[str]) -> None:
    """End a job, whatever it is doing."""
    process.kill()
    process.wait()


def run() -> None:
    """In the process of its own."""
    job, text = sys.argv[1:]
    os.nice(NICENESS)
    _bound_memory(TRIAL_MEMORY_BYTES if job == "trial_drawing" else MAX_MEMORY_BYTES)
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # libraries that print must not spoil what is said

    def say(words: dict[str, Any]) -> None:
        out.write(json.dumps(words) + "\n")
        out.flush()

    from engines import EngineError
    from streamtoon.errors import StreamtoonError

    jobs: dict[str, Callable[..., dict[str, Any]]] = {
        "probe": probe,
        "film": film,
        "bench": bench,
        "trial_drawing": trial_drawing,
    }
    try:
        say({"done": jobs[job](say, **json.loads(text))})
    except (StreamtoonError, EngineError) as error:
        say({"error": " ".join(str(error).split())})
    except MemoryError:
        say({"error": "it takes more memory than it may here; give something smaller"})
    except Exception as error:  # noqa: BLE001 - the page shows it, whatever it was
        say({"error": f"it failed: {type(error).__name__}"})


def _bound_memory(most: int) -> None:
    try:
        import resource
    except ImportError:  # Windows has no such bound
        return
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))


def ask(job: str, **arguments: Any) -> dict[str, Any]:
    """The result of a short job. Raises UsageError with the reason where it fails or takes over SHORT_JOB_TIMEOUT_S."""
    from streamtoon.errors import UsageError

    process = start(job, **arguments)
    timer = threading.Timer(SHORT_JOB_TIMEOUT_S, process.kill)
    timer.start()
    try:
        *_, last = said(process)
    finally:
        timer.cancel()
        stop(process)
    if "error" in last:
        raise UsageError(str(last["error"]))
    done: dict[str, Any] = last["done"]
    return done


def probe(_: Say, *, source: str) -> dict[str, Any]:
    """Open a film and decode its first frame: frames a second, about how many, px. Raises as ``video.open`` does."""
    from streamtoon.film import reader

    with reader.open(source, threads=1) as opened:
        return {"rate": float(opened.rate), "count": opened.count, "size": opened.size}


def film(
    say: Say, *, source: str, output: str, style: str, region: str, background: str, private: bool, engine: str,
    threads: int, max_minutes: float,
) -> dict[str, Any]:  # fmt: skip
    """Draw a film; says how far it is, gives the summary. Raises as ``convert`` does."""
    from streamtoon import style_folder
    from streamtoon.errors import UsageError
    from streamtoon.film import reader
    from streamtoon.pipeline.toon import Toon
    from streamtoon.workflows import engine_choice as engine_of
    from streamtoon.workflows.convert import Options, Progress, convert

    with reader.open(source, threads=1) as opened:
        rate, size = float(opened.rate), opened.size
    toons: list[Toon] = []

    def make() -> Toon:
        chosen = style_folder.load(style)
        drawer = engine_of.load(engine, chosen, threads=max(1, threads // 2))
        toon = Toon(chosen, drawer, region=region, background=background, private=private)  # type: ignore[arg-type]
        toons.append(toon)
        return toon

    def progress(now: Progress) -> None:
        if now.frames > 60 * max_minutes * min(rate, MAX_CLAIMED_FPS) * 1.05:  # a header may lie
            raise UsageError(f"the film is longer than {max_minutes:g} minutes, which is the limit here")
        say({"progress": asdict(now)})

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


def bench(_: Say, *, style: str, engine: str, threads: int) -> dict[str, Any]:
    """``streamtoon bench`` on the portrait clip, shorter than the command's: somebody waits for it."""
    from streamtoon import style_folder
    from streamtoon.bench.convert import bench as measure
    from streamtoon.bench.convert import portrait_film
    from streamtoon.pipeline.timings import Meter
    from streamtoon.pipeline.toon import Toon
    from streamtoon.workflows import engine_choice as engine_of

    def make(meter: Meter) -> Toon:
        chosen = style_folder.load(style)
        return Toon(chosen, engine_of.load(engine, chosen, threads=max(1, threads // 2)), meter=meter)

    with tempfile.TemporaryDirectory(prefix="streamtoon-bench-") as folder:
        film = portrait_film(Path(folder, "portrait.mp4"), threads, BENCH_CLIP)
        return asdict(measure(str(film), make, threads))


def trial_drawing(_: Say, *, folder: str, engine: str, threads: int) -> dict[str, Any]:
    """Check a style that is not trusted yet, and draw the embedded portrait with it; what there is to know about it."""
    from engines import EngineError
    from streamtoon.errors import UsageError
    from streamtoon.web.style_upload import archive
    from streamtoon.web.style_upload.trial_drawing import draw

    checked = archive.check(Path(folder))
    try:
        drawn = draw(folder, engine, threads)
    except EngineError as error:
        raise UsageError(f"the portrait could not be drawn with it: {error}") from error
    return {"name": checked.style.name, "found": checked.found, **drawn}
