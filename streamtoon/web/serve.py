"""Puts the page on the network until it is stopped."""

from __future__ import annotations

import logging
import signal
import socket
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from foundation.environment import environment
from streamtoon.errors import UsageError
from streamtoon.web.settings import LOOPBACK_HOSTS, Settings

SHUTDOWN_TIMEOUT_S: Final = 5  # in which open connections have to end

log = logging.getLogger(__name__)


def serve(settings: Settings) -> None:
    """Serve until Ctrl-C or SIGTERM. Logs the address once it answers, and warns of risks.

    Raises UsageError where the address cannot be used, or the extra ``web`` is not installed.
    """
    listening = _listen(settings)
    with ExitStack() as stack:
        stack.callback(listening.close)
        try:
            import aiortc  # noqa: F401
            import gradio  # noqa: F401
            import onnx  # noqa: F401
            import uvicorn
        except ImportError as error:
            raise UsageError(f'web needs {error.name}; install it with: pip install "streamtoon[web]"') from None
        from streamtoon.web.sessions.sessions import Sessions

        sessions = stack.enter_context(Sessions(settings))
        # Gradio takes them from nowhere else
        stack.enter_context(environment({"GRADIO_TEMP_DIR": str(sessions.root), "GRADIO_ANALYTICS_ENABLED": "False"}))
        from streamtoon.web.app import application
        from streamtoon.web.jobs.films import FilmQueue
        from streamtoon.web.jobs.stills import Stills
        from streamtoon.web.webrtc.media import MediaLoop

        stack.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", module="gradio")  # they are about Gradio's own insides
        media = stack.enter_context(MediaLoop(local=settings.local))
        drawer = stack.enter_context(Stills(settings))
        stack.callback(sessions.end_all)  # before the loop that their connections run in
        app = application(sessions, media, drawer, FilmQueue(settings))
        host, port = listening.getsockname()[:2]
        if settings.share:
            log.warning("SHARED: anybody who gets this address can use this machine: %s", _tunnel(port))
        if settings.host not in LOOPBACK_HOSTS and settings.auth is None:
            log.warning("OPEN: who can reach %s can use this page; --auth USER:PASSWORD asks for one", settings.host)
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S, ws="none")
        server = uvicorn.Server(config)
        address = f"http://{'[' + host + ']' if ':' in host else host}:{port}"
        threading.Thread(target=_announce, args=(server, address), daemon=True).start()
        stack.enter_context(_ending_with_terminal(server))
        server.run(sockets=[listening])


def _announce(server: Any, address: str) -> None:
    """Log the address as soon as it answers."""
    while not server.started and not server.should_exit:
        time.sleep(0.05)
    if server.started:
        log.info("streamtoon is at %s  (Ctrl-C ends it)", address)


@contextmanager
def _ending_with_terminal(server: Any) -> Iterator[None]:
    """Within: the server ends in order when the terminal is closed, so that nothing people uploaded stays.

    Where a closed terminal is not to end it (nohup), it does not.
    """
    hangup = getattr(signal, "SIGHUP", None)  # Windows has none
    if hangup is None or signal.getsignal(hangup) is signal.SIG_IGN:
        yield
        return
    before = signal.signal(hangup, lambda *_: setattr(server, "should_exit", True))
    try:
        yield
    finally:
        signal.signal(hangup, before)


def _listen(settings: Settings) -> socket.socket:
    """A socket bound to the address that was asked for."""
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listening = socket.socket(found[0], found[1])
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(found[4])
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(
            f"cannot listen on {settings.host}:{settings.port}: {why}; give another --host or --port"
        ) from None
    return listening


def _tunnel(port: int) -> str:
    """The public address that Gradio's tunnel gives to our port."""
    import secrets

    from gradio.networking import setup_tunnel

    try:
        return str(setup_tunnel("127.0.0.1", port, secrets.token_urlsafe(32), None, None))
    except (RuntimeError, ValueError, OSError) as error:
        raise UsageError(f"--share does not work here: {error}; leave it out") from None
