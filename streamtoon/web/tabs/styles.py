"""The Styles tab: a card for each style, and the place to drop a style of one's own, checked before it is used."""

from __future__ import annotations

import base64
import re
import secrets
from html import escape
from pathlib import Path
from typing import Any, Final

import gradio as gr

from streamtoon import style_folder
from streamtoon.types import Style
from streamtoon.web.jobs import worker
from streamtoon.web.messages import errors_as_notices
from streamtoon.web.sessions import uploads
from streamtoon.web.sessions.sessions import BusyError, Session, Sessions
from streamtoon.web.style_upload import archive
from streamtoon.web.style_upload.trial_drawing import PREVIEW_NAME
from streamtoon.web.tabs import theme

MAX_OWN_STYLES: Final = 6  # styles a session may bring
PREVIEW_TYPES: Final = {".webp": "webp", ".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}
CARD_METRICS: Final = ("PSNR dB", "SSIM", "MS-SSIM", "matte IoU")


def build(sessions: Sessions, dropdowns: list[gr.Dropdown]) -> None:
    """The tab's content; ``dropdowns`` get every style that is brought."""
    theme.lead("Every style is a small network and a card that says where it is from. Bring your own as a zip.")
    cards = gr.HTML(gallery(None), elem_id="style-cards")
    with gr.Row(equal_height=False, elem_classes="bring"):
        with gr.Column(scale=4, min_width=280):
            upload = gr.File(
                file_types=[".zip"], label="A style of your own (zip)", elem_id="style-in", height=170, type="filepath"
            )
            uploads.keep_as_uploaded(upload)
        with gr.Column(scale=6, min_width=300):
            report = gr.HTML(
                theme.notice(
                    "Checked before use: paths and sizes in the zip, the hash, the network's operators, its preview, "
                    "and a drawing of the embedded portrait. Only this page can use it, and it goes when you leave."
                ),
                elem_id="style-report",
            )

    @errors_as_notices
    def bring(path: str | None, request: gr.Request) -> Any:
        same = [gr.update()] * len(dropdowns)
        if path is None:
            return
        session = sessions.of(request)
        yield theme.notice("Checking…"), gr.update(), gr.update(), *same
        try:
            found = take(sessions, session, sessions.adopt(session, path))
        except Exception:
            yield theme.notice("This style was not taken.", "bad"), gr.update(), None, *same
            raise
        choices = gr.update(choices=theme.style_choices(session))
        yield _checked(found), gallery(session), None, *[choices] * len(dropdowns)

    upload.upload(
        bring, [upload], [report, cards, upload, *dropdowns], show_progress="hidden", api_visibility="private"
    )


def take(sessions: Sessions, session: Session, zipped: Path) -> list[str]:
    """Check a style's zip and add the style to a session: what was found, one line each.

    Raises UsageError for anything that is wrong with it, BusyError where the session has too many.
    """
    if len(session.styles) >= MAX_OWN_STYLES:
        raise BusyError(f"{MAX_OWN_STYLES} styles of your own are the limit here; reload the page to begin anew")
    folder = session.folder / f"style-{secrets.token_hex(8)}"
    unpacked = archive.unpack(zipped, folder)
    try:
        done = worker.ask(
            "trial_drawing", folder=str(folder), engine=sessions.settings.engine, threads=sessions.settings.threads
        )
        with session.lock:
            session.check()
            before, session.styles[done["name"]] = session.styles.get(done["name"]), folder
    except BaseException:
        archive.remove(folder)
        raise
    if before is not None:
        archive.remove(before)
    drawing = f"drawing: hides the face, {done['ms']:g} ms a picture, stands for {done['matte']:.0%} of it"
    return [unpacked, *done["found"], drawing]


def _checked(found: list[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in found)
    return f'{theme.notice("Taken. You find it in every list of styles.", "good")}<ul class="checks">{items}</ul>'


def gallery(session: Session | None) -> str:
    """The cards of every style a session can use, as HTML."""
    names = style_folder.names() if session is None else session.style_names()
    chosen = [style_folder.load(name if session is None else session.style(name)) for name in names]
    return f'<div class="cards">{"".join(_card(style) for style in chosen)}</div>'


def _card(style: Style) -> str:
    text = _text(style.folder / "CARD.md")
    rows = [
        ("Network", " ".join(_row(text, "network")[:1])),
        ("Licence", style.licence or "not said"),
        ("Data", _section(text, "Data")),
    ]
    listed = "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in rows if value)
    measured = [(name, value) for name, value in zip(CARD_METRICS, _row(text, "clean", "net"), strict=False) if value]
    metrics = theme.facts(measured, label="Measured on clean photos") if measured else ""
    whole = f"<details><summary>The whole card</summary><pre>{escape(text)}</pre></details>" if text else ""
    mine = "" if style.folder.parent == style_folder.FOLDER else '<span class="tag">yours</span>'
    return (
        f'<article class="card">{_picture(style)}<div class="card-text">'
        f"<h3>{escape(style.title or style.name)}{mine}</h3>"
        f"<p>{escape(_first(text))}</p><dl>{listed}</dl>{metrics}{whole}</div></article>"
    )


def _picture(style: Style) -> str:
    for name in (PREVIEW_NAME, "preview.webp", "preview.png", "preview.jpg"):
        file = style.folder / name
        if file.is_file():
            data = base64.b64encode(file.read_bytes()).decode()
            alt = f"NASA's portrait of Eileen Collins in the style {style.name}"
            return f'<img src="data:image/{PREVIEW_TYPES[file.suffix]};base64,{data}" alt="{escape(alt)}">'
    return ""


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")[:20_000] if file.is_file() else ""


def _first(text: str) -> str:
    """The first paragraph under the title."""
    parts = [p for p in re.split(r"\n\s*\n", text) if p.strip() and not p.startswith(("#", "|"))]
    return _plain(parts[0]) if parts else "This style brought no card."


def _section(text: str, title: str) -> str:
    """The first paragraph of the section whose title begins so."""
    found = re.search(rf"^##\s*{title}[^\n]*\n+((?:[^\n#|][^\n]*\n?)+)", text, re.MULTILINE)
    return _plain(found[1]) if found else ""


def _row(text: str, *cells: str) -> list[str]:
    """What stands behind ``cells`` in the first row of a table that begins with them."""
    for line in text.splitlines():
        row = [cell.strip() for cell in line.strip("| ").split("|")]
        if line.startswith("|") and row[: len(cells)] == list(cells):
            return [_plain(cell) for cell in row[len(cells) :]]
    return []


def _plain(text: str) -> str:
    return " ".join(text.replace("`", "").replace("**", "").split())
