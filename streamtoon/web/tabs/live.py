"""The Live tab: the browser's camera in, drawings back. webrtc/peer.py does the work, assets/live.js its page side."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import gradio as gr

from streamtoon.web.messages import errors_as_notices, reason
from streamtoon.web.sessions.sessions import LIVE, Session, Sessions
from streamtoon.web.settings import Choice
from streamtoon.web.tabs import stream, theme
from streamtoon.web.toons import live_toon
from streamtoon.web.webrtc.media import MediaLoop
from streamtoon.web.webrtc.peer import Peer


def build(sessions: Sessions, media: MediaLoop) -> gr.Dropdown:
    """The tab's content; the style dropdown, which the Styles tab adds to."""
    with gr.Row(elem_classes="live", equal_height=False):
        with gr.Column(scale=7, min_width=320):
            gr.HTML(theme.asset("stage.html"), elem_id="live-stage")
        with gr.Column(scale=3, min_width=260, elem_classes="side"):
            with gr.Row(elem_classes="actions"):
                start = gr.Button("Start", variant="primary", elem_id="live-start", min_width=90)
                stop = gr.Button("Stop", elem_id="live-stop", interactive=False, min_width=90)
            snap = gr.Button("Save a snapshot", elem_id="live-snap", interactive=False)
            style = theme.style_dropdown("live-style")
            region = theme.region_radio(private=True, elem_id="live-region")
            background = theme.background_radio(
                theme.LIVE_BACKGROUND_LABELS, "Behind it", private=True, elem_id="live-background",
                info="“As it is” shows your room. Faces found are drawn or covered; one that is missed would show.",
            )  # fmt: skip
            mirror = gr.Checkbox(value=True, label="Mirror my view", elem_id="live-mirror")
    talk = gr.Textbox(visible=False)
    stream.build(sessions, style, region, background)

    chosen = [style, region, background]

    def begin(offer: str, style: str, region: str, background: str, request: gr.Request) -> tuple[Any, ...]:
        off = (gr.update(interactive=True), gr.update(interactive=False), gr.update(interactive=False))
        if not offer:
            return ("{}", *off)
        try:
            session = sessions.of(request)
            with session.lock:  # a second Start waits for the first, and ends it
                answer = _begin(sessions, media, session, json.loads(offer), session.choice(style, region, background))
        except Exception as error:  # noqa: BLE001 - the page shows it beside the picture and frees the camera
            return (json.dumps({"error": reason(error)}), *off)
        on = (gr.update(interactive=False), gr.update(interactive=True), gr.update(interactive=True))
        return (json.dumps({"sdp": answer}), *on)

    def end(request: gr.Request) -> tuple[Any, ...]:
        sessions.of(request).stop(LIVE)
        return (gr.update(interactive=True), gr.update(interactive=False), gr.update(interactive=False))

    @errors_as_notices
    def change(style: str, region: str, background: str, request: gr.Request) -> None:
        session = sessions.of(request)
        with session.lock:
            if isinstance(session.live, Peer):
                choice = session.choice(style, region, background)
                session.live.switch(live_toon(sessions.settings, choice, session.live.meter))

    hidden: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    begun = start.click(
        begin, [talk, *chosen], [talk, start, stop, snap], js="(...all) => streamtoon.offer(all)", **hidden
    )
    begun.then(None, [talk], None, js="(said) => streamtoon.answer(said)", **hidden)
    stop.click(end, None, [start, stop, snap], js="() => { streamtoon.stop(); return [] }", **hidden)
    snap.click(None, None, None, js="() => streamtoon.snapshot()", **hidden)
    mirror.change(None, [mirror], None, js="(on) => streamtoon.mirror(on)", **hidden)
    background.change(None, [background], None, js="(behind) => streamtoon.room(behind === 'keep')", **hidden)
    theme.follow_style(sessions, style, region, background, private=True).then(change, chosen, None, **hidden)
    for control in (region, background):
        control.input(change, chosen, None, trigger_mode="always_last", **hidden)
    return style


def _begin(sessions: Sessions, media: MediaLoop, session: Session, offer: dict[str, Any], choice: Choice) -> str:
    session.stop(LIVE)
    size = (int(offer.get("width") or 640), int(offer.get("height") or 480))

    def ended() -> None:
        if session.live is peer:
            session.live = None
            session.closing.pop(LIVE, None)

    peer = Peer(media, sessions.settings.ice, size, ended)
    sessions.enter_live(session)
    # before it answers: the connection may end while it does, and ended() must find it
    session.live = peer
    session.on_end(LIVE, peer.close)
    try:
        return peer.answer(str(offer.get("sdp", "")), partial(live_toon, sessions.settings, choice))
    except BaseException:
        session.stop(LIVE)
        session.live = None
        raise
