"""The preview of a live session: what it shows, and what its keys do. Runs in the thread that opened it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from streamtoon import style_folder
from streamtoon.contracts import Preview
from streamtoon.errors import UsageError
from streamtoon.pipeline.toon import Toon
from streamtoon.privacy.output_gate import OutputGate
from streamtoon.workflows.live import Live

log = logging.getLogger(__name__)

INTERVAL_S: Final = 1 / 30  # longest wait for a new picture before keys are asked for again


class LivePreview:
    """Shows what ``gate`` lets out in ``window``, and does to ``live`` what its keys ask for.

    style      the name of the style that draws at first; "next" goes on from there
    make_toon  gets a style's name; the toon is the loop's from then on
    mirror     whether the preview is mirrored at first; what leaves never is
    """

    def __init__(
        self,
        window: Preview,
        live: Live,
        gate: OutputGate,
        style: str,
        make_toon: Callable[[str], Toon],
        *,
        mirror: bool,
    ) -> None:
        self._window, self._live, self._gate = window, live, gate
        self._style, self._make_toon, self._mirror = style, make_toon, mirror

    def run(self, ended: threading.Event) -> None:
        """Show and obey until ``ended`` is set or the user quits."""
        seen = 0
        while not ended.is_set():
            seen = self._show(seen)
            key = self._window.key()
            self._live.passthrough = key == "passthrough-held"
            if key == "quit":
                return
            self._obey(key)

    def _show(self, seen: int) -> int:
        """Show a picture newer than number ``seen``, or what stands for it; its number."""
        live = self._live
        seen, drawn = self._gate.take(seen, INTERVAL_S)
        lines = [f"{live.rate():.1f} fps", f"{1000 * live.latency():.0f} ms", f"{live.dropped} dropped", live.engine]
        self._window.show(drawn, lines, drawn.state != "passthrough", mirror=self._mirror)
        return seen

    def _obey(self, key: str | None) -> None:
        if key == "mirror":
            self._mirror = not self._mirror
        elif key == "card":
            self._gate.paused = not self._gate.paused
        elif key == "next":
            names = style_folder.names()
            place = names.index(self._style) if self._style in names else -1
            self._style = names[(place + 1) % len(names)]
            try:
                toon = self._make_toon(self._style)
            except UsageError as error:  # it cannot draw the region that was asked for
                log.warning("%s", error)
                return
            log.info("style %s", self._style)
            self._live.switch(toon)
