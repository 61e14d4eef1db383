"""The Photo tab: a picture in, before and after beside each other, every style at once, the drawing to keep."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import gradio as gr
from PIL import Image

from streamtoon import style_folder
from streamtoon.errors import UsageError
from streamtoon.types import Background, Frame, Region
from streamtoon.web.jobs import stills
from streamtoon.web.jobs.stills import Stills
from streamtoon.web.messages import errors_as_notices
from streamtoon.web.sessions import uploads
from streamtoon.web.sessions.sessions import Session, Sessions
from streamtoon.web.tabs import theme
from streamtoon.web.toons import carried_background, carried_region

EMPTY_TEXT: Final = "Before and after will stand here, with a line between them that you can drag."
PHOTO_ICON: Final = (
    '<rect x="3" y="4" width="18" height="16" rx="3"/><path d="M12 4v16m-5-6-1.5-2L7 10m10 4 1.5-2L17 10"/>'
)


def build(sessions: Sessions, drawer: Stills) -> gr.Dropdown:
    """The tab's content; the style dropdown, which the Styles tab adds to."""
    theme.lead("Upload a photo, paste one, or take one. It stays in this session and goes when you close the page.")
    with gr.Row(equal_height=False):
        with gr.Column(scale=3, min_width=280, elem_classes="side"):
            photo = gr.Image(
                sources=["upload", "clipboard", "webcam"], type="filepath", image_mode=None, label="Your photo",
                height=260, elem_id="photo-in", placeholder="Drop a photo here\n or click to choose one",
                alt_text="Your photo",
            )  # fmt: skip
            uploads.keep_as_uploaded(photo)
            style = theme.style_dropdown("photo-style")
            region = theme.region_radio(private=False)
            background = theme.background_radio(theme.BACKGROUND_LABELS, "The rest of the picture", private=False)
            draw = gr.Button("Draw", variant="primary", elem_id="photo-draw", interactive=False)
            every = gr.Button("Try every style", elem_id="photo-every", interactive=False)
        with gr.Column(scale=7, min_width=320):
            pair = gr.ImageSlider(
                label="Before and after", type="filepath", interactive=False, elem_id="photo-pair", max_height=620,
                buttons=["fullscreen"], visible=False,
            )  # fmt: skip
            news = gr.HTML(theme.blank(EMPTY_TEXT, PHOTO_ICON), elem_id="photo-news")
            keep = gr.DownloadButton("Download the drawing", visible=False, elem_id="photo-keep")
            all_styles = gr.Gallery(
                label="Every style", columns=2, object_fit="contain", visible=False, elem_id="photo-all",
                buttons=["download", "fullscreen"], interactive=False,
            )  # fmt: skip

    @errors_as_notices
    def ready(path: str | None, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        on, off = gr.update(interactive=True), gr.update(interactive=False)
        hide = gr.update(visible=False)
        rest = gr.update(value=None, visible=False), hide, theme.blank(EMPTY_TEXT, PHOTO_ICON), hide
        yield gr.update(), off, off, *rest
        if path is not None:
            try:
                stills.read(sessions.adopt(sessions.of(request), path))
            except Exception:
                yield None, off, off, *rest
                raise
            yield gr.update(), on, on, *rest

    @errors_as_notices
    def one(path: str | None, style: str, region: str, background: str, request: gr.Request) -> tuple[Any, ...]:
        session = sessions.of(request)
        made = _draw(sessions, drawer, session, path, (style, region, background))
        pair = gr.update(value=(made.before, made.after), visible=True)
        return pair, gr.update(value=made.after, visible=True), made.words

    @errors_as_notices
    def all_of_them(path: str | None, style: str, region: Region, background: Background, request: gr.Request) -> Any:
        session = sessions.of(request)
        before = style_folder.load(session.style(style))
        made = []
        for title, name in theme.style_choices(session):
            other = style_folder.load(session.style(name))
            carried = carried_region(other, region, before, private=False)
            behind = carried_background(other, background, before, private=False)
            made.append((_draw(sessions, drawer, session, path, (name, carried, behind)).after, title))
        return gr.update(value=made, visible=True)

    hidden: dict[str, Any] = {"api_visibility": "private"}
    theme.follow_style(sessions, style, region, background, private=False)
    photo.change(ready, [photo], [photo, draw, every, pair, keep, news, all_styles], show_progress="hidden", **hidden)
    draw.click(one, [photo, style, region, background], [pair, keep, news], **hidden)
    every.click(all_of_them, [photo, style, region, background], [all_styles], **hidden)
    return style


@dataclass(frozen=True, slots=True)
class Made:
    """A drawn photo: where before and after lie, and what is to be said."""

    before: str
    after: str
    words: str


def _draw(sessions: Sessions, drawer: Stills, session: Session, path: str | None, chosen: tuple[str, str, str]) -> Made:
    """Draw the photo at ``path``; chosen: the names of a style, a region and a background."""
    if path is None:
        raise UsageError("there is no photo yet; upload, paste or take one first")
    file = sessions.adopt(session, path)
    frame = stills.read(file)
    began = time.perf_counter()
    drawn = drawer.draw(frame, session.choice(*chosen))
    seconds = time.perf_counter() - began
    place = session.new_folder()
    after = stills.save(drawn, place / f"{file.stem[:40] or 'photo'}-{chosen[0]}.png")
    words = theme.facts(
        [
            ("Faces drawn", str(drawn.faces)),
            ("Took", f"{1000 * seconds:.0f} ms"),
            ("Size", f"{drawn.width} x {drawn.height} px"),
        ],
        label="What was done",
    )
    if drawn.state == "passthrough":
        words = theme.notice(
            "No face was found, so the photo is as it was. Try “Everything”, or a closer picture.", "bad"
        )
    return Made(_before(frame, place), after, words)


def _before(frame: Frame, place: Path) -> str:
    """The photo as it was read, upright: so that before and after have one size."""
    file = place / "before.webp"
    Image.fromarray(frame.planes[0]).save(file, quality=90)
    return str(file)
