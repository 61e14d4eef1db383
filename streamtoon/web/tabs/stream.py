"""The picture stream: what Live falls back to where WebRTC is not possible. Slower, with the same guard."""

from __future__ import annotations

import base64
import threading
import time
from fractions import Fraction
from typing import Final

import cv2
import gradio as gr
import numpy as np

from streamtoon.contracts import check_output
from streamtoon.errors import UsageError
from streamtoon.image.letterbox import CALLS
from streamtoon.image.planes import from_rgb, to_rgb
from streamtoon.pipeline.toon import Toon
from streamtoon.privacy.output_gate import OutputGate
from streamtoon.types import U8, Frame
from streamtoon.web.messages import errors_as_notices
from streamtoon.web.sessions.sessions import LIVE, LIVE_IDLE_S, Session, Sessions
from streamtoon.web.settings import Choice, Settings
from streamtoon.web.tabs import theme
from streamtoon.web.toons import live_toon

PICTURE_INTERVAL_S: Final = 0.1  # between two pictures
FACE_ICON: Final = '<circle cx="12" cy="9" r="4"/><path d="M4 20c.5-5 3.5-7 8-7s7.5 2 8 7"/>'


class Stream:
    """One person's picture stream: a private toon, and the pictures that may leave."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._toon: Toon | None = None
        self._choice: Choice | None = None
        self._safe: OutputGate | None = None
        self._lock = threading.Lock()
        self._index = 0
        self._used = time.monotonic()
        self._over = False

    @property
    def idle(self) -> bool:
        """Whether no picture has come for so long that its place may go to somebody else."""
        return time.monotonic() - self._used > LIVE_IDLE_S

    def __call__(self, picture: U8, choice: Choice) -> U8:
        """(h, w, 3) uint8 RGB of the camera -> what may be shown of it: the card first, then drawings.

        Raises UsageError once it is closed.
        """
        self._used = time.monotonic()
        h, w = (length // 2 * 2 for length in picture.shape[:2])
        with self._lock:
            if self._over:
                raise UsageError("the picture stream has ended; press record again")
            planes = from_rgb(np.ascontiguousarray(picture[:h, :w]), "yuv420p", CALLS)
            frame = Frame(planes, "yuv420p", self._index, Fraction(round(time.monotonic() * 1000), 1000), CALLS)
            self._index += 1
            if self._toon is None or choice != self._choice:
                self._close()
                self._toon, self._choice = live_toon(self._settings, choice), choice
            if self._safe is None:
                self._safe = OutputGate(frame, self._toon.style.paper)
            else:
                self._safe.put(self._toon(frame))
            _, drawn = self._safe.take(0, 0)
        check_output(drawn)
        return to_rgb(drawn.planes, drawn.layout, drawn.colour)

    def close(self) -> None:
        """Free the toon, for good."""
        with self._lock:
            self._over = True
            self._close()

    def _close(self) -> None:
        if self._toon is not None:
            self._toon.close()
            self._toon = None


def build(sessions: Sessions, *chosen: gr.components.Component) -> None:
    """The fold below the live picture."""
    with gr.Accordion("No video here? Use the slower picture stream", open=False, elem_id="stream-fallback"):
        gr.HTML('<p class="lead">Sends single pictures, which every proxy lets through. The guard is the same.</p>')
        with gr.Row(elem_classes="stream-in"):
            camera = gr.Image(
                sources=["webcam"], streaming=True, label="Camera (stays with you until you press record)",
                elem_id="stream-camera", height=300, webcam_options=gr.WebcamOptions(mirror=False),
            )  # fmt: skip
            drawn = gr.HTML(theme.blank("The drawing appears here.", FACE_ICON), elem_id="stream-drawn")

    @errors_as_notices
    def step(picture: U8 | None, style: str, region: str, background: str, request: gr.Request) -> str:
        if picture is None:
            return theme.blank("The drawing appears here.", FACE_ICON)
        session = sessions.of(request)
        stream = _stream(sessions, session)
        return shown(stream(picture, session.choice(style, region, background)))

    camera.stream(
        step, [camera, *chosen], [drawn], stream_every=PICTURE_INTERVAL_S, time_limit=None, concurrency_limit=8,
        show_progress="hidden", api_visibility="private",
    )  # fmt: skip


def shown(picture: U8) -> str:
    """A picture as HTML that holds it: Gradio's own image output would leave a file for each on the disk."""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])
    text = base64.b64encode(data.tobytes()).decode()
    return f'<img class="stream" alt="You, drawn" src="data:image/jpeg;base64,{text}">'


def _stream(sessions: Sessions, session: Session) -> Stream:
    with session.lock:
        if isinstance(session.live, Stream):
            return session.live
        session.stop(LIVE)
        sessions.enter_live(session)
        stream = session.live = Stream(sessions.settings)

        def close() -> None:
            if session.live is stream:
                session.live = None
            stream.close()

        session.on_end(LIVE, close)
        return stream
