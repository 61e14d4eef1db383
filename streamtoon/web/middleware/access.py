"""Which requests are answered: the outermost layer around Gradio's server.

Any page that is open in the same browser can send requests to 127.0.0.1, and a name whose owner points it there makes
that page one of ours (DNS rebinding). So where only this machine may come in, only its own names are answered, and what
another site's page asks is refused everywhere, but for opening the page. Of Gradio's routes only those are there that
the page and ``gradio_client`` use: others keep recordings and copies of a session on the disk.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from streamtoon.web.middleware.asgi import App, Message, Receive, Scope, Send, header, refuse
from streamtoon.web.middleware.hide_paths import UPLOAD_PATH
from streamtoon.web.sessions.folder import files_in
from streamtoon.web.settings import LOOPBACK_HOSTS, Settings

API_PREFIX: Final = "/gradio_api/"
ALLOWED_ROUTES: Final = frozenset(
    """
    api_info app_id call cancel component_server config heartbeat info login_check queue reset startup-events stream
    token upload upload_progress user
    """.split()  # noqa: SIM905 - reads better
)
CLOSED_PREFIXES: Final = ("/monitoring", "/openapi.json", "/run-history", "/docs", "/redoc")
FORM_OVERHEAD_BYTES: Final = 100_000  # of an upload's request beside the file
MAX_HELD_UPLOADS: Final = 20  # of the largest size, that may lie here at the same time
MIN_FREE_DISK_BYTES: Final = 1_000_000_000  # that uploads leave


class AccessControl:
    """An ASGI app around another; ``root`` is the folder that uploads lie in."""

    def __init__(self, app: App, settings: Settings, root: Path) -> None:
        self._app, self._settings, self._root = app, settings, root
        self._uploading = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await refuse(send, *refusal)
        elif scope["method"] == "POST" and scope["path"].rstrip("/") == UPLOAD_PATH:
            await self._upload(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Status and words for what is not answered."""
        path = scope["path"]
        if self._settings.local and _host_name(header(scope["headers"], b"host")) not in LOOPBACK_HOSTS:
            return 421, "this page is for the machine it runs on; `streamtoon web --host` gives it to others"
        if _from_other_site(scope["headers"]) and not (scope["method"] == "GET" and path == "/"):
            return 403, "pages of other sites may not ask this one for anything"
        route = path.removeprefix(API_PREFIX).split("/")[0].split("=")[0]
        if (
            path.startswith(API_PREFIX) and route not in ALLOWED_ROUTES and not path.startswith(API_PREFIX + "file=")
        ) or path.startswith(CLOSED_PREFIXES):
            return 404, "there is nothing here"
        return None

    async def _upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An upload: no larger than one file may be, and only while there is room for it."""
        most = self._settings.max_upload
        if (
            shutil.disk_usage(self._root).free < most + MIN_FREE_DISK_BYTES
            or _bytes_in(self._root) > MAX_HELD_UPLOADS * most
        ):
            await _read_rest(receive, 4 * most)
            await refuse(send, 507, "there is no room for more files here; try again in a while")
            return
        size, over = 0, False

        async def counted() -> Message:
            nonlocal size, over
            message = await receive()
            size += len(message.get("body", b""))
            over = over or size > most + FORM_OVERHEAD_BYTES
            return {"type": "http.disconnect"} if over else message

        async def unless_over(message: Message) -> None:
            if not over:
                await send(message)

        self._uploading += 1
        try:
            await self._app(scope, counted, unless_over)
        except Exception:
            if not over:  # else it is Gradio's word for a request that broke off
                raise
        finally:
            self._uploading -= 1
            if not self._uploading:
                _remove_parts(self._root)
        if over:
            await _read_rest(receive, 4 * most)
            await refuse(send, 413, f"the file is larger than {most / 1e6:g} MB, which is the limit here")


def _remove_parts(root: Path) -> None:
    """Remove what uploads that broke off left: whole ones lie in folders."""
    for file in root.iterdir():
        if file.is_file():
            file.unlink(missing_ok=True)


async def _read_rest(receive: Receive, most: int) -> None:
    """Read what is left of a request: a browser listens to the answer only once it has sent all."""
    while most > 0:
        message = await receive()
        most -= len(message.get("body", b"")) + 1
        if message["type"] != "http.request" or not message.get("more_body"):
            return


def _host_name(host: bytes) -> str:
    """The name in a Host header, without its port; empty where there is none."""
    try:
        return urlsplit("//" + host.decode("latin-1")).hostname or ""
    except ValueError:
        return ""


def _from_other_site(headers: object) -> bool:
    """Whether another site's page asks: browsers say so, or name the page's origin. Programs do neither."""
    site = header(headers, b"sec-fetch-site")
    if site:
        return site not in (b"same-origin", b"none")
    origin = header(headers, b"origin")
    host = header(headers, b"x-forwarded-host") or header(headers, b"host")
    return bool(origin) and origin.partition(b"://")[2].lower() != host.lower()


def _bytes_in(root: Path) -> int:
    """Bytes of all files in a folder."""
    total = 0
    for file in files_in(root):
        try:
            total += file.stat().st_size
        except OSError:  # gone meanwhile
            continue
    return total
