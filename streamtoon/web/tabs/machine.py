"""The Machine tab: what doctor finds, and what bench measures, as a chart."""

from __future__ import annotations

import threading
from html import escape
from typing import Any, Final

import gradio as gr

from streamtoon.doctor import report
from streamtoon.doctor.hardware import Finding
from streamtoon.pipeline.timings import VERBS
from streamtoon.style_folder import DEFAULT
from streamtoon.web.jobs import worker
from streamtoon.web.messages import errors_as_notices, without_paths
from streamtoon.web.sessions.sessions import BusyError, Session, Sessions
from streamtoon.web.tabs import theme

STATE_WORDS: Final = {"ok": "ok", "missing": "not here", "broken": "broken"}
BENCH_TIMEOUT_S: Final = 300.0


def build(sessions: Sessions, tab: gr.Tab) -> None:
    """The tab's content; doctor runs when the tab is opened."""
    theme.lead("What the machine behind this page has, and how fast it draws.")
    with gr.Row(equal_height=False):
        with gr.Column(scale=6, min_width=320):
            again = gr.Button("Look again", elem_id="machine-look")
            table = gr.HTML(theme.notice("Looking at the machine; that takes some seconds."), elem_id="machine-table")
        with gr.Column(scale=4, min_width=300, elem_classes=["side", "bench"]):
            chart = gr.HTML(
                theme.notice(
                    "Draws 120 frames of a portrait clip, 1280 x 720, and compares with decoding and encoding alone."
                ),
                elem_id="machine-chart",
            )
            run = gr.Button("Measure the speed", variant="primary", elem_id="machine-bench")
    seen = gr.State(value=False)
    busy, examining = threading.Lock(), threading.Lock()

    @errors_as_notices
    def examine() -> tuple[str, bool]:
        with examining:  # it starts processes: one at a time
            return findings_table(report.examine()), True

    @errors_as_notices
    def first(seen: bool) -> tuple[Any, bool]:  # noqa: FBT001
        return (gr.update(), True) if seen else examine()

    @errors_as_notices
    def bench(request: gr.Request) -> Any:
        session = sessions.of(request)
        if not busy.acquire(blocking=False):
            raise BusyError("somebody is measuring already; try again in a while")
        try:
            yield theme.notice("Measuring; that takes some seconds."), gr.update(interactive=False)
            result = measure(sessions, session)
        except Exception:
            yield theme.notice("It was not measured.", "bad"), gr.update(interactive=True)
            raise
        finally:
            busy.release()
        yield bench_chart(result), gr.update(interactive=True)

    hidden: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    tab.select(first, [seen], [table, seen], **hidden)
    again.click(examine, None, [table, seen], api_visibility="private", show_progress="minimal")
    run.click(bench, None, [chart, run], **hidden)


def measure(sessions: Sessions, session: Session) -> dict[str, Any]:
    """The result of ``streamtoon bench`` with the default style, in a child process. Raises StreamtoonError."""
    settings = sessions.settings
    with (
        worker.outcome(),
        worker.start("bench", style=DEFAULT, engine=settings.engine, threads=settings.threads) as child,
    ):
        session.on_end("bench", child.stop)
        try:
            result: dict[str, Any] = child.result(timeout_s=BENCH_TIMEOUT_S)
        finally:
            session.closing.pop("bench", None)
    return result


def findings_table(findings: list[Finding]) -> str:
    """Doctor's findings as an HTML table, without paths of the machine."""
    rows = "".join(
        f'<tr class="{f.state}{" needed" if f.needed else ""}">'
        f'<td><span class="dot" aria-hidden="true"></span>{STATE_WORDS[f.state]}</td>'
        f'<th scope="row">{escape(f.name)}</th><td>{escape(without_paths(f.what))}{_fix(f.fix)}</td></tr>'
        for f in findings
    )
    verdict = (
        "Everything that drawing needs is here."
        if report.works(findings)
        else "Something that drawing needs is missing."
    )
    kind = "good" if report.works(findings) else "bad"
    return (
        f'{theme.notice(verdict, kind)}<div class="table"><table>'
        '<caption class="unseen">What this machine has</caption>'
        f'<thead><tr><th scope="col">State</th><th scope="col">What</th><th scope="col">Found</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _fix(fix: str) -> str:
    return "".join(f"<code>{escape(without_paths(line))}</code>" for line in fix.splitlines())


def bench_chart(result: dict[str, Any]) -> str:
    """A bench's result as bars, one a verb, with their figures in plain text."""
    ms = {verb: float(result["ms"][verb]) for verb in VERBS if verb in result["ms"]}
    longest = max([*ms.values(), 0.001])
    bars = "".join(
        f'<div class="bar"><dt>{verb}</dt>'
        f'<dd><span style="width:{100 * value / longest:.1f}%"></span>{value:.2f} ms</dd></div>'
        for verb, value in ms.items()
    )
    facts = theme.facts(
        [
            ("Films drawn at", f"{result['fps']:.1f} fps"),
            ("Decode + encode alone", f"{result['floor_fps']:.1f} fps"),
            ("Ratio", f"{result['ratio_to_transcode']:.2f} x"),
            ("Peak memory", f"{result['peak_mb']} MB"),
        ],
        label="Measured",
    )
    return (
        f'<figure class="chart"><figcaption>Milliseconds a frame, median of each verb (they overlap)</figcaption>'
        f'<dl class="bars">{bars}</dl></figure>{facts}'
        f'<p class="small">{escape(str(result["style"]))} by {escape(str(result["engine"]))} on '
        f"{escape(without_paths(str(result['device'])))}, "
        f"{result['frames']} frames of {result['size'][0]} x {result['size'][1]}</p>"
    )
