"""The types of ASGI, and how the middleware reads a header and refuses a request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def header(headers: Any, name: bytes) -> bytes:
    """The value of the first header of that (lower-case) name; empty where there is none."""
    return next((bytes(v) for k, v in headers if k.lower() == name), b"")


async def refuse(send: Send, status: int, words: str) -> None:
    """Answer with ``words``, as plain text."""
    kind = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": kind})
    await send({"type": "http.response.body", "body": words.encode()})
