"""No answer names a folder of this machine: the folder that files are served from has an alias outside.

Gradio tells a browser the path of a file and gets that path back. This layer replaces the folder in responses by a
random alias of the same length, and the alias in requests by the folder. Only text is rewritten, pictures and films
pass untouched. It also adds the security headers that keep the page from asking any other server for anything.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Final

from streamtoon.web.middleware.asgi import App, Message, Receive, Scope, Send, header, refuse

TEXT_TYPES: Final = (b"application/json", b"text/")
# Gradio's own scripts: they hold no path, and are worth compressing
GRADIO_ASSETS: Final = ("/assets/", "/static/", "/svelte/")
UPLOAD_PATH: Final = "/gradio_api/upload"
MAX_REQUEST_BYTES: Final = 16_000_000  # but for uploads; the picture stream's pictures are the largest
SECURITY_HEADERS: Final = [
    (
        b"content-security-policy",
        (
            b"default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self' data: blob:; "
            b"object-src 'none'; base-uri 'self'; frame-ancestors 'self'"
        ),
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", b"camera=(self), microphone=(), geolocation=(), display-capture=()"),
]
FILE_PREFIX: Final = "/gradio_api/file="  # people's own: no browser or proxy is to keep a copy
NO_STORE: Final = [(b"cache-control", b"no-store")]


class HidePaths:
    """An ASGI app around another; ``root`` is the folder whose path is hidden."""

    def __init__(self, app: App, root: Path) -> None:
        self._app = app
        self._root = str(root).encode()
        alias = secrets.token_hex(len(self._root))
        self._alias = ("/" + alias[: len(self._root) - 1]).encode()  # as long as the root: lengths in headers stay true

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request or connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        inward = {**scope, "path": self._in(scope["path"].encode()).decode()}
        inward["raw_path"] = self._in(scope.get("raw_path") or b"")
        inward["query_string"] = self._in(scope.get("query_string") or b"")
        if scope["method"] == "POST" and scope["path"].rstrip("/") != UPLOAD_PATH:
            whole = await _body(receive)
            if whole is None:
                await refuse(send, 413, "the request is too large")
                return
            receive = _replayed(self._in(whole), receive)
        text, private = False, scope["path"].startswith(FILE_PREFIX)

        async def outward(message: Message) -> None:
            nonlocal text
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", []))
                text = header(headers, b"content-type").startswith(TEXT_TYPES) and not header(
                    headers, b"content-encoding"
                )
                headers = [(k, self._out(v)) for k, v in headers if not (private and k.lower() == b"cache-control")]
                message = {**message, "headers": headers + SECURITY_HEADERS + (NO_STORE if private else [])}
            elif text and message["type"] == "http.response.body":
                message = {**message, "body": self._out(message.get("body", b""))}
            await send(message)

        if not scope["path"].startswith(
            GRADIO_ASSETS
        ):  # other answers are not compressed, so that they can be read here
            inward["headers"] = [(k, v) for k, v in scope["headers"] if k.lower() != b"accept-encoding"]
        await self._app(inward, receive, outward)

    def _in(self, data: bytes) -> bytes:
        return data.replace(self._alias, self._root)

    def _out(self, data: bytes) -> bytes:
        return data.replace(self._root, self._alias)


async def _body(receive: Receive) -> bytes | None:
    """All of a request's body; None where it is larger than MAX_REQUEST_BYTES."""
    parts, size = [], 0
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_REQUEST_BYTES:
            return None
        if message["type"] != "http.request" or not message.get("more_body"):
            return b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that gives ``body`` first."""
    given = False

    async def once() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return once
