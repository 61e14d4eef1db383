"""Who may ask: other names and other sites' pages are refused, and so is what the page does not need."""

import asyncio
import http.server
import json
import threading
from functools import partial

import pytest
from browsing import Site, visitor, wait_for
from test_web_uploads import ask, call, given

from streamtoon.web.middleware import access
from streamtoon.web.middleware.access import AccessControl
from streamtoon.web.settings import Settings

FORM = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n%b\r\n--x--\r\n'
KIND = "multipart/form-data; boundary=x"
LOCAL = {"host": "127.0.0.1:7860"}


def request_status(root, method="GET", path="/config", body=b"", settings=None, **headers):
    """Status of the answer to a request, 200 where it would reach Gradio; underscores in names become hyphens."""
    said = []

    async def inner(scope, receive, send):
        while (message := await receive()).get("more_body"):
            pass
        if message["type"] == "http.disconnect":
            raise RuntimeError("it broke off")
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        said.append(message)

    sent = [(k.replace("_", "-").encode(), v.encode()) for k, v in {**LOCAL, **headers}.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": sent}
    outer = AccessControl(inner, settings or Settings(max_upload=1000), root)
    thread = threading.Thread(target=lambda: asyncio.run(outer(scope, receive, send)))  # playwright's loop is in ours
    thread.start()
    thread.join()
    return said[0]["status"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:7860", "localhost:1", "[::1]:7860", "LOCALHOST"])
def test_names_of_this_machine(tmp_path, host):
    assert request_status(tmp_path, host=host) == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil:7860", "", "0x7f.1", "["])
def test_a_name_that_was_turned_to_this_machine(tmp_path, host):
    assert request_status(tmp_path, host=host) == 421


def test_a_server_for_others_goes_by_any_name(tmp_path):
    for settings in (Settings(host="0.0.0.0"), Settings(share=True)):  # noqa: S104 - nothing listens
        assert request_status(tmp_path, host="drawings.example", settings=settings) == 200


def test_what_the_console_says():
    site = Site("--host", "0.0.0.0")  # noqa: S104 - for a moment
    site.close()
    assert site.said == [
        "OPEN: who can reach 0.0.0.0 can use this page; --auth USER:PASSWORD asks for one",
        f"streamtoon is at {site.address}  (Ctrl-C ends it)",
    ]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),  # programs
        ({"sec_fetch_site": "same-origin"}, 200),
        ({"sec_fetch_site": "none"}, 200),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),  # another port of this machine
        ({"origin": "http://127.0.0.1:7860"}, 200),
        ({"origin": "http://127.0.0.1:8000"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "https://drawings.example", "x_forwarded_host": "drawings.example"}, 200),  # behind a proxy
        ({"origin": "https://drawings.example", "sec_fetch_site": "same-origin"}, 200),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_pages_of_others(tmp_path, headers, status, method):
    assert request_status(tmp_path, method, **headers) == status


def test_a_link_from_another_page_opens_ours(tmp_path):
    assert request_status(tmp_path, path="/", sec_fetch_site="cross-site") == 200
    assert request_status(tmp_path, "POST", "/", sec_fetch_site="cross-site") == 403


@pytest.mark.parametrize(
    "path", ["process_recording", "deep_link", "dev/reload", "proxy=http://127.0.0.1/", "file/etc/passwd", "vibe-code"]
)
def test_routes_that_the_page_does_not_need(bare, path):
    with pytest.raises(OSError, match="404"):
        ask(bare, f"/gradio_api/{path}")
    with pytest.raises(OSError, match="404"):
        ask(bare, f"/gradio_api/{path}", FORM % b"x", KIND)


def test_uploads_that_are_too_large_leave_nothing(bare):
    two = FORM.replace(b"--x--\r\n", b"") % bytes(600_000) + FORM % bytes(600_000)  # each of them would be taken
    before = bare.files()
    for body in (FORM % bytes(3_000_000), two):
        said = ""
        for _ in range(3):  # where the server stops reading at a bad moment, the client never sees the answer
            with pytest.raises(OSError, match=r"413|timed out") as refused:
                ask(bare, "/gradio_api/upload", body, KIND)
            said = str(refused.value)
            if "413" in said:
                break
        assert "413" in said
    assert bare.files() == before


def test_uploads_that_break_off_leave_nothing(bare):
    import socket

    host, port = bare.address.removeprefix("http://").split(":")
    head = f"POST /gradio_api/upload HTTP/1.1\r\nHost: {host}\r\nContent-Type: {KIND}\r\nContent-Length: 900000\r\n\r\n"
    before = bare.files()
    with socket.create_connection((host, int(port))) as line:
        line.sendall(head.encode() + FORM[:80] + bytes(300_000))
        wait_for(lambda: len(bare.files()) > len(before))
    wait_for(lambda: bare.files() == before)


def test_no_room_for_more(tmp_path, monkeypatch):
    upload = partial(request_status, tmp_path, "POST", "/gradio_api/upload", b"x")
    (tmp_path / "held").mkdir()
    (tmp_path / "held" / "a.png").write_bytes(bytes(21_000))  # of 20 times 1000
    assert upload() == 507
    (tmp_path / "held" / "a.png").write_bytes(bytes(10_000))
    assert upload() == 200
    monkeypatch.setattr(access, "MIN_FREE_DISK_BYTES", 1 << 60)
    assert upload() == 507


def test_addresses_are_not_fetched(bare):
    """Gradio would fetch what an address names, and keep it."""
    said = call(bare, "photo", given("https://example.org/a.png"), "engraving", "head", "keep")
    assert "no addresses" in said


def test_another_sites_page_in_the_same_browser(browser, site, tmp_path):
    """It sends what a browser sends without asking: a form, and a request whose answer it does not see."""
    (tmp_path / "index.html").write_text("<p>another site</p>")
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    handler.log_message = lambda *_: None
    other = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=other.serve_forever, daemon=True).start()
    try:
        with visitor(browser, site.address) as page:
            page.goto(f"http://localhost:{other.server_port}/")
            before = site.files()
            page.evaluate(
                """async (address) => { const form = new FormData(); form.append("files", new Blob(["x"]), "a.png");
                await fetch(address + "/gradio_api/upload", { method: "POST", mode: "no-cors", body: form });
                await fetch(address + "/config").catch(() => 0); }""",
                site.address,
            )
            assert site.files() == before
            page.goto(site.address)  # and still a link to us works
            page.wait_for_selector("#live-start")
    finally:
        other.shutdown()
        other.server_close()


def test_the_page_says_what_is_too_large(browser, bare, tmp_path):
    from browsing import tab, told

    (tmp_path / "large.png").write_bytes(bytes(2_000_000))
    with visitor(browser, bare.address) as page:
        tab(page, "Photo")
        page.set_input_files("#photo-in input[type=file]", tmp_path / "large.png")
        assert "large.png" in told(page, "maximum allowed size")
    assert json.loads(ask(bare, "/gradio_api/startup-events"))
