"""What ``gradio_client`` can call by name: /photo, /film and /styles. The page itself uses none of it."""

from __future__ import annotations

from collections.abc import Iterator

import gradio as gr

from streamtoon import style_folder
from streamtoon.errors import UsageError
from streamtoon.privacy.policy import default_background
from streamtoon.web.jobs import stills
from streamtoon.web.jobs.films import FilmQueue, FilmRequest
from streamtoon.web.jobs.stills import Stills
from streamtoon.web.messages import errors_as_notices
from streamtoon.web.sessions import uploads
from streamtoon.web.sessions.sessions import Sessions
from streamtoon.web.tabs import film as film_tab


def build(sessions: Sessions, drawer: Stills, film_queue: FilmQueue) -> None:
    """Add the endpoints; their components are never shown."""
    default = style_folder.load(style_folder.DEFAULT)
    with gr.Column(visible=False):
        given, made = gr.File(label="file"), gr.File(label="drawn")
        uploads.keep_as_uploaded(given)
        style = gr.Textbox(style_folder.DEFAULT, label="style")
        region = gr.Textbox(default.region, label="region")
        background = gr.Textbox(default_background(default.background, private=False), label="background")
        private = gr.Checkbox(label="private")
        words = gr.Textbox(label="summary")
        call = gr.Button()

    @errors_as_notices
    def photo(file: str, style: str, region: str, background: str, request: gr.Request) -> str:
        """Draw the people in a picture; gives the drawn picture (PNG)."""
        session = sessions.of(request)
        source = sessions.adopt(session, _given(file))
        drawn = drawer.draw(stills.read(source), session.choice(style, region, background))
        return stills.save(drawn, session.new_folder() / f"{source.stem[:40] or 'photo'}-{style}.png")

    @errors_as_notices
    def film(  # noqa: PLR0917
        file: str, style: str, region: str, background: str, private: bool, request: gr.Request  # noqa: FBT001
    ) -> Iterator[tuple[str, str]]:  # fmt: skip
        """Draw the people in a film; gives the drawn film (MP4) and a line about it."""
        session = sessions.of(request)
        source = sessions.adopt(session, _given(file))
        for said in film_queue.draw(session, FilmRequest(source, session.choice(style, region, background), private)):
            if "done" in said:
                yield said["output"], film_tab.summary_line(said["done"], said["output"])

    def styles(request: gr.Request) -> list[str]:
        """The names of the styles that can be asked for."""
        return sessions.of(request).style_names()

    call.click(photo, [given, style, region, background], [made], api_name="photo")
    call.click(film, [given, style, region, background, private], [made, words], api_name="film")
    call.click(styles, None, [gr.JSON(visible=False)], api_name="styles")


def _given(file: str | None) -> str:
    if not file:
        raise UsageError("no file was given")
    return str(file)
