"""What people are told: no path of the machine, no markup of others, and the alias of the files' folder."""

import asyncio
import threading
from typing import get_args

import gradio as gr
import pytest

from streamtoon import style_folder
from streamtoon.cli import main
from streamtoon.doctor.hardware import Finding
from streamtoon.errors import UsageError
from streamtoon.types import Background, Region
from streamtoon.web.messages import INTERNAL_FAULT, errors_as_notices, without_paths
from streamtoon.web.middleware.hide_paths import HidePaths
from streamtoon.web.tabs import theme
from streamtoon.web.tabs.machine import findings_table
from streamtoon.web.toons import carried_background, carried_region


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot read /home/anna/films/a.mp4: it is none", "cannot read a.mp4: it is none"),
        ("rm '/root/.cache/streamtoon/face.tflite' && fetch", "rm 'face.tflite' && fetch"),
        ("see https://example.org/a/b/c", "see https://example.org/a/b/c"),
        ("C:\\Users\\anna\\a.png is no picture", "a.png is no picture"),
        ("1280x720 and/or 24 fps", "1280x720 and/or 24 fps"),
        ("two\n lines", "two lines"),
    ],
)
def test_paths_are_cut(text, shown):
    assert without_paths(text) == shown


def test_errors_become_notices(caplog):
    @errors_as_notices
    def ours():
        raise UsageError("/srv/secret/a.png is <b>no</b> picture")

    with pytest.raises(gr.Error) as error:
        ours()
    assert error.value.message == "A.png is &lt;b&gt;no&lt;/b&gt; picture"

    @errors_as_notices
    def not_ours():
        yield 1
        raise ZeroDivisionError("/srv/secret")

    steps = not_ours()
    assert next(steps) == 1
    with pytest.raises(gr.Error) as error:
        next(steps)
    assert INTERNAL_FAULT[1:] in error.value.message
    assert "ZeroDivisionError: /srv/secret" in caplog.text


def test_the_page_offers_every_choice_there_is():
    assert set(theme.REGION_LABELS) == set(get_args(Region))
    assert set(theme.BACKGROUND_LABELS) == set(theme.LIVE_BACKGROUND_LABELS) == set(get_args(Background))


def test_what_is_chosen_at_first():
    """The default style's region and background; people on paper where nobody is to be seen."""
    assert theme.region_radio(private=False).value == "frame"
    assert theme.region_radio(private=True).value == "person"
    assert theme.background_radio(theme.BACKGROUND_LABELS, "The rest", private=False).value == "keep"
    assert theme.background_radio(theme.LIVE_BACKGROUND_LABELS, "Behind it", private=True).value == "paper"


def test_findings_without_paths():
    html = findings_table([Finding("face model", "broken", "in /root/x/y.tflite <script>", "rm /root/x/y.tflite")])
    assert "/root" not in html
    assert "<script>" not in html


def test_hidden_paths(tmp_path):
    seen = []

    async def app(scope, receive, send):
        seen.append((scope["path"], (await receive())["body"]))
        kind = b"application/json" if scope["path"].startswith("/j") else b"image/png"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
        await send({"type": "http.response.body", "body": f'{{"path": "{tmp_path}/a.png"}}'.encode()})

    hidden = HidePaths(app, tmp_path)

    def ask(path, body=b"", kind=b"application/json"):
        out = []

        async def receive():
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message):
            out.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(b"content-type", kind)],
        }
        # in a thread: playwright has a loop in this one
        thread = threading.Thread(target=lambda: asyncio.run(hidden(scope, receive, send)))
        thread.start()
        thread.join()
        return out

    start, body = ask("/j")
    assert str(tmp_path).encode() not in body["body"]
    assert (b"x-content-type-options", b"nosniff") in start["headers"]
    outside = body["body"].split(b'"')[3].decode()
    ask("/j/file=" + outside, f'"{outside}"'.encode())
    assert seen[-1] == (f"/j/file={tmp_path}/a.png", f'"{tmp_path}/a.png"'.encode())
    assert str(tmp_path).encode() in ask("/picture")[1]["body"]  # bytes of a picture are not touched
    assert ask("/j", b"x" * 17_000_000)[0]["status"] == 413


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--port", "x"], "is no port"),
        (["--auth", "anna"], "USER:PASSWORD"),
        (["--max-sessions", "0"], "whole number"),
    ],
)  # fmt: skip
def test_flags(capsys, flags, words):
    with pytest.raises(SystemExit) as end:
        main.main(["web", *flags])
    assert end.value.code == 2
    assert words in capsys.readouterr().err


def test_an_address_that_cannot_be_used(capsys):
    assert main.main(["web", "--host", "192.0.2.1"]) == 2
    assert "cannot listen on 192.0.2.1:7860" in capsys.readouterr().err
    assert main.main(["web", "--engine", "nothing"]) == 2


@pytest.mark.parametrize(
    ("region", "before_after", "private", "carried"),
    [
        ("frame", ("picture", "head"), False, "head"),  # the default of one is that of the other
        ("head", ("head", "picture"), False, "frame"),
        ("person", ("picture", "head"), True, "head"),
        ("head", ("head", "picture"), True, "person"),
        ("person", ("picture", "head"), False, "head"),  # which it cannot draw
        ("face", ("picture", "head"), False, "face"),  # chosen
        ("frame", ("head", "picture"), True, "frame"),
    ],
)
def test_what_is_drawn_follows_the_style(picture_style, region, before_after, private, carried):
    before, after = ({"head": style_folder.load("engraving"), "picture": picture_style}[kind] for kind in before_after)
    assert carried_region(after, region, before, private=private) == carried
    assert ("person" in dict(map(reversed, theme.regions(after)))) == after.whole_picture


def test_the_background_follows_the_style_until_it_is_chosen():
    comic, line = (style_folder.load(name) for name in ("comic", "line"))
    assert carried_background(line, "keep", comic, private=False) == "paper"
    assert carried_background(comic, "paper", line, private=False) == "keep"
    assert carried_background(line, "blur", comic, private=False) == "blur"
    assert carried_background(comic, "paper", line, private=True) == "paper"
