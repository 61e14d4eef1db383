"""The page: five tabs around the same Toon, and the two layers around Gradio's own server."""

from __future__ import annotations

import json
from html import escape
from typing import Any, Final

import gradio as gr
from fastapi import FastAPI

from streamtoon.web import api
from streamtoon.web.jobs.films import FilmQueue
from streamtoon.web.jobs.stills import Stills
from streamtoon.web.middleware.access import AccessControl
from streamtoon.web.middleware.hide_paths import HidePaths
from streamtoon.web.sessions.sessions import Sessions
from streamtoon.web.tabs import film, live, photo, styles, theme
from streamtoon.web.tabs import machine as machine_tab
from streamtoon.web.webrtc.media import MediaLoop

MAX_QUEUED_EVENTS: Final = 64  # events at most that wait
MAX_CONCURRENT_EVENTS: Final = 8  # of one kind
HEADER_HTML: Final = """<header class="top">
<div><h1>streamtoon</h1><p>The same picture, with the people in it drawn.</p></div>
<button id="theme-toggle" type="button" aria-pressed="false" aria-label="Dark colours" title="Light or dark">
<svg viewBox="0 0 24 24" aria-hidden="true"><circle cx="12" cy="12" r="8.5"/>
<path d="M12 3.5a8.5 8.5 0 0 1 0 17z"/></svg>
</button></header>"""


def blocks(sessions: Sessions, media: MediaLoop, drawer: Stills, film_queue: FilmQueue) -> gr.Blocks:
    """The page itself."""
    page: gr.Blocks
    with gr.Blocks(title="streamtoon", analytics_enabled=False) as page:
        gr.HTML(HEADER_HTML)
        with gr.Tabs(elem_id="tabs", overflow_behavior="wrap"):
            with gr.Tab("Live", id="live"):
                dropdowns = [live.build(sessions, media)]
            with gr.Tab("Photo", id="photo"):
                dropdowns.append(photo.build(sessions, drawer))
            with gr.Tab("Film", id="film"):
                dropdowns.append(film.build(sessions, film_queue))
            with gr.Tab("Styles", id="styles"):
                styles.build(sessions, dropdowns)
            with gr.Tab("Machine", id="machine") as machine:
                machine_tab.build(sessions, machine)
        api.build(sessions, drawer, film_queue)

        def left(request: gr.Request) -> None:
            sessions.end(str(request.session_hash))

        page.unload(left)
    page.queue(max_size=MAX_QUEUED_EVENTS, default_concurrency_limit=MAX_CONCURRENT_EVENTS)
    # only launch() sets these, and until then Gradio takes every file of this machine for an upload
    page.has_launched = page.is_running = True
    page.upload_file_set = sessions.uploaded
    return page


def application(sessions: Sessions, media: MediaLoop, drawer: Stills, film_queue: FilmQueue) -> Any:
    """The ASGI application: Gradio's page at /, for who may ask, with no path of this machine in any answer."""
    settings = sessions.settings
    ice = escape(json.dumps(list(settings.ice)), quote=True)
    head = f'<meta name="streamtoon-ice" content="{ice}"><meta name="color-scheme" content="light dark">' + "".join(
        f"<script>{theme.asset(name)}</script>" for name in ("page.js", "names.js", "live.js")
    )
    # show_error: what Gradio says of a path that is no upload tells where this machine keeps things; ours is gr.Error
    app = gr.mount_gradio_app(
        FastAPI(openapi_url=None), blocks(sessions, media, drawer, film_queue), "/",
        server_name=settings.host, server_port=settings.port, footer_links=[], run_history=False,
        auth=settings.auth, show_error=False, max_file_size=settings.max_upload, ssr_mode=False,
        enable_monitoring=False, theme=theme.theme(), css=theme.asset("style.css"), head=head,
    )  # fmt: skip
    return AccessControl(HidePaths(app, sessions.root), settings, sessions.root)
