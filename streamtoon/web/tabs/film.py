"""The Film tab: a film in, how far it is, the drawn film beside the old one, and what was done."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any, Final

import gradio as gr

from streamtoon.errors import UsageError
from streamtoon.web.jobs import films
from streamtoon.web.jobs.films import FilmQueue, FilmRequest, StoppedError
from streamtoon.web.messages import errors_as_notices, without_paths
from streamtoon.web.sessions import uploads
from streamtoon.web.sessions.sessions import Sessions
from streamtoon.web.tabs import theme

EMPTY_TEXT: Final = "The film before and after will stand here. You can leave the other tabs running meanwhile."
FILM_ICON: Final = '<rect x="3" y="5" width="18" height="14" rx="3"/><path d="M7 5v14M17 5v14M3 12h4M17 12h4"/>'


def build(sessions: Sessions, film_queue: FilmQueue) -> gr.Dropdown:
    """The tab's content; the style dropdown, which the Styles tab adds to."""
    minutes, megabytes = sessions.settings.max_minutes, sessions.settings.max_upload / 1e6
    theme.lead(
        f"Films up to {minutes:g} minutes and {megabytes:g} MB. Sound, timing and everything outside the drawing stay."
    )
    with gr.Row(equal_height=False):
        with gr.Column(scale=3, min_width=280, elem_classes="side"):
            film = gr.Video(sources=["upload"], label="Your film", elem_id="film-in", height=240)
            uploads.keep_as_uploaded(film)
            style = theme.style_dropdown("film-style")
            region = theme.region_radio(private=False)
            background = theme.background_radio(theme.BACKGROUND_LABELS, "The rest of the picture", private=False)
            private = gr.Checkbox(
                label="Never show an undrawn frame",
                info="Frames without a face are held for half a second, then a card.",
            )
            with gr.Row(elem_classes="actions"):
                draw = gr.Button("Draw", variant="primary", elem_id="film-draw", interactive=False, min_width=120)
                cancel = gr.Button("Cancel", elem_id="film-cancel", interactive=False, min_width=90)
        with gr.Column(scale=7, min_width=320):
            news = gr.HTML(theme.blank(EMPTY_TEXT, FILM_ICON), elem_id="film-news")
            with gr.Row(elem_id="film-pair", visible=False) as pair:
                before = gr.Video(label="Before", interactive=False, elem_id="film-before", min_width=240, buttons=[])
                after = gr.Video(label="After", interactive=False, elem_id="film-after", min_width=240, buttons=[])
            keep = gr.DownloadButton("Download the drawn film", visible=False, elem_id="film-keep")

    @errors_as_notices
    def ready(path: str | None, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        off, hide = gr.update(interactive=False), gr.update(visible=False)
        if path is None:
            yield gr.update(), off, theme.blank(EMPTY_TEXT, FILM_ICON), hide, hide
            return
        yield gr.update(), off, theme.notice("Looking at the film…"), hide, hide
        try:
            facts = films.probe(sessions.adopt(sessions.of(request), path), sessions.settings)
        except Exception:
            yield None, off, theme.blank(EMPTY_TEXT, FILM_ICON), hide, hide
            raise
        length = "unknown length" if facts.seconds is None else f"{facts.seconds:.1f} s"
        words = f"Ready: {facts.size[0]} x {facts.size[1]} px, {facts.rate:.4g} frames a second, {length}."
        yield gr.update(), gr.update(interactive=True), theme.notice(words), hide, hide

    @errors_as_notices
    def run(  # noqa: PLR0917
        path: str | None, style: str, region: str, background: str, private: bool, request: gr.Request  # noqa: FBT001
    ) -> Any:  # fmt: skip
        if path is None:
            raise UsageError("there is no film yet; upload one first")
        session = sessions.of(request)
        source = sessions.adopt(session, path)
        same, busy, free = gr.update(), _buttons(running=True), _buttons(running=False)
        asked = FilmRequest(source, session.choice(style, region, background), private)
        hide = gr.update(visible=False)
        yield theme.notice("Starting…"), hide, same, same, hide, *busy
        try:
            for words in film_queue.draw(session, asked):
                if "ahead" in words:
                    yield theme.notice(f"Waiting: {words['ahead']} before yours."), same, same, same, same, *busy
                elif "progress" in words:
                    yield progress_html(words["progress"]), same, same, same, same, *busy
                else:
                    output = words["output"]
                    yield (
                        summary_html(words["done"]), gr.update(visible=True), str(source), output,
                        gr.update(value=output, visible=True), *free,
                    )  # fmt: skip
        except StoppedError as stopped:
            yield theme.notice(str(stopped).capitalize() + "."), same, same, same, same, *free
        except Exception:
            yield theme.notice("The film was not drawn.", "bad"), same, same, same, same, *free
            raise

    hidden: dict[str, Any] = {"api_visibility": "private"}
    theme.follow_style(sessions, style, region, background, private=False)
    film.change(ready, [film], [film, draw, news, pair, keep], show_progress="hidden", **hidden)
    draw.click(
        run, [film, style, region, background, private], [news, pair, before, after, keep, draw, cancel],
        show_progress="hidden", **hidden,
    )  # fmt: skip

    def stop(request: gr.Request) -> None:
        sessions.of(request).stop("film")

    cancel.click(stop, None, None, show_progress="hidden", **hidden)
    return style


def _buttons(*, running: bool) -> tuple[Any, Any]:
    return gr.update(interactive=not running), gr.update(interactive=running)


def progress_html(progress: dict[str, Any]) -> str:
    """How far a film is, as HTML."""
    frames, total, left = progress["frames"], progress["total"], progress["seconds_left"]
    share = f'value="{frames}" max="{max(total, frames)}"' if total else ""
    of = f" of {total}" if total else ""
    rest = "" if left is None else f" · {clock(left)} left"
    words = f"{frames}{of} frames · {progress['fps']:.1f} a second{rest}"
    return (
        f'<div class="progress" role="status"><progress {share} aria-label="Drawn so far"></progress>'
        f"<p>{escape(words)}</p></div>"
    )


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{round(seconds) // 60}:{round(seconds) % 60:02}"


def summary_html(done: dict[str, Any]) -> str:
    """What was done to a film, as HTML."""
    pairs = [
        ("Frames", str(done["frames"])),
        ("Without a face", str(done["faceless"])),
        ("Frames a second", f"{done['fps']:.1f}"),
        ("Size", f"{done['size'][0]} x {done['size'][1]} px"),
    ]
    html = theme.facts(pairs, label="What was done") + "".join(
        theme.notice(without_paths(line[:1].upper() + line[1:])) for line in done["notices"]
    )
    if done["damaged"]:
        html += theme.notice(
            f"The film is damaged: {without_paths(done['damaged'])}. What could be read was drawn.", "bad"
        )
    return html


def summary_line(done: dict[str, Any], output: str) -> str:
    """The same in one line, for the API."""
    return (
        f"{Path(output).name}: {done['frames']} frames, {done['faces']} faces, "
        f"{done['faceless']} frames without a face, {done['fps']:.1f} fps"
    )
