"""The page's theme, its style sheet and scripts, and the labels and HTML pieces that several tabs share."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, Final

import gradio as gr
from gradio.themes.utils import colors, sizes

from streamtoon import style_folder
from streamtoon.privacy.policy import default_background, default_region
from streamtoon.types import Background, Region, Style
from streamtoon.web.messages import errors_as_notices
from streamtoon.web.sessions.sessions import Session, Sessions
from streamtoon.web.toons import can_draw, carried_background, carried_region

ASSETS_FOLDER: Final = Path(__file__).parent.parent / "assets"
REGION_LABELS: Final[dict[Region, str]] = {
    "frame": "Everything", "person": "People", "head": "Head and shoulders", "face": "Face only"
}  # fmt: skip
BACKGROUND_LABELS: Final[dict[Background, str]] = {
    "keep": "As it is", "paper": "Paper", "blur": "Blurred", "draw": "Drawn too"
}  # fmt: skip
LIVE_BACKGROUND_LABELS: Final[dict[Background, str]] = {
    "paper": "Paper", "blur": "Blurred room", "draw": "Drawn room", "keep": "Room as it is"
}  # fmt: skip
TEXT_FONTS: Final = ("ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
MONO_FONTS: Final = ("ui-monospace", "SFMono-Regular", "Menlo", "monospace")
INK_HUE: Final = colors.Color(
    name="ink", c50="#f1f3f9", c100="#e1e5f1", c200="#c3cbe3", c300="#9da9cf", c400="#7484b6", c500="#53659d",
    c600="#3f4f85", c700="#33406c", c800="#2a3558", c900="#232c48", c950="#171d31",
)  # fmt: skip
PAPER_HUE: Final = colors.Color(
    name="paper", c50="#fbfaf7", c100="#f4f2ed", c200="#e7e4dc", c300="#d3cfc4", c400="#a39f95", c500="#77746c",
    c600="#57554f", c700="#3d3c39", c800="#272728", c900="#1b1c1f", c950="#121316",
)  # fmt: skip


@cache
def asset(name: str) -> str:
    """The text of one of the page's own files."""
    return (ASSETS_FOLDER / name).read_text(encoding="utf-8")


def theme() -> gr.themes.Base:
    """Ink on paper, and the other way round in the dark. Only fonts that are on the machine already."""
    made = gr.themes.Base(
        primary_hue=INK_HUE, secondary_hue=INK_HUE, neutral_hue=PAPER_HUE, radius_size=sizes.radius_lg,
        spacing_size=sizes.spacing_md, text_size=sizes.text_md, font=TEXT_FONTS, font_mono=MONO_FONTS,
    )  # fmt: skip
    return made.set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        body_text_color="*neutral_800",
        body_text_color_dark="*neutral_100",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        block_background_fill="#ffffff",
        block_background_fill_dark="*neutral_900",
        block_border_color="*neutral_200",
        block_border_color_dark="*neutral_800",
        block_border_width="1px",
        block_shadow="none",
        block_label_text_color="*neutral_600",
        block_label_text_color_dark="*neutral_300",
        block_title_text_color="*neutral_700",
        block_title_text_color_dark="*neutral_200",
        block_title_text_weight="600",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_400",
        input_background_fill="*neutral_50",
        input_background_fill_dark="*neutral_950",
        input_border_color="*neutral_300",
        input_border_color_dark="*neutral_700",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_600",
        button_primary_background_fill_dark="*primary_300",
        button_primary_background_fill_hover_dark="*primary_200",
        button_primary_text_color="white",
        button_primary_text_color_dark="*neutral_950",
        button_secondary_background_fill="*neutral_100",
        button_secondary_background_fill_hover="*neutral_200",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_background_fill_hover_dark="*neutral_700",
        button_secondary_text_color="*neutral_800",
        button_secondary_text_color_dark="*neutral_100",
        checkbox_label_background_fill="transparent",
        checkbox_label_background_fill_dark="transparent",
        checkbox_label_background_fill_selected="*primary_50",
        checkbox_label_background_fill_selected_dark="*neutral_800",
        checkbox_border_color="*neutral_500",
        checkbox_border_color_dark="*neutral_400",
        checkbox_background_color_selected="*primary_700",
        checkbox_background_color_selected_dark="*primary_300",
        color_accent_soft="*primary_50",
        color_accent_soft_dark="*neutral_800",
        link_text_color="*primary_700",
        link_text_color_dark="*primary_300",
    )


def style_dropdown(elem_id: str) -> gr.Dropdown:
    """The choice of a style; the Styles tab adds those that a session brings."""
    return gr.Dropdown(style_choices(None), value=style_folder.DEFAULT, label="Style", elem_id=elem_id)


def region_radio(*, private: bool, **more: Any) -> gr.Radio:
    """The choice of what is drawn; ``more`` goes to the component."""
    style = style_folder.load(style_folder.DEFAULT)
    region = default_region(style, people_alone=private)
    return gr.Radio(regions(style), value=region, label="What is drawn", **more)


def regions(style: Style) -> list[tuple[str, str]]:
    """(what is read, value) of what a style can draw."""
    return [(label, region) for region, label in REGION_LABELS.items() if can_draw(style, region)]


def follow_style(
    sessions: Sessions, style: gr.Dropdown, region: gr.Radio, background: gr.Radio, *, private: bool
) -> Any:
    """Let the other choices follow the style's; gives the event, for what is to be done after it."""
    before = gr.State(style_folder.DEFAULT)

    @errors_as_notices
    def follow(
        style: str, region: Region, background: Background, before: str, request: gr.Request
    ) -> tuple[Any, Background, str]:
        chosen, old = (style_folder.load(sessions.of(request).style(name)) for name in (style, before))
        carried = carried_region(chosen, region, old, private=private)
        behind = carried_background(chosen, background, old, private=private)
        return gr.update(choices=regions(chosen), value=carried), behind, style

    chosen = [region, background, before]
    return style.change(
        follow, [style, *chosen], chosen, show_progress="hidden", api_visibility="private",
        trigger_mode="always_last",
    )  # fmt: skip


def background_radio(labels: dict[Background, str], label: str, *, private: bool, **more: Any) -> gr.Radio:
    """The choice of what becomes of the rest of the picture; ``more`` goes to the component."""
    background = default_background(style_folder.load(style_folder.DEFAULT).background, private=private)
    return gr.Radio(_choices(labels), value=background, label=label, **more)


def _choices(labels: Mapping[Any, str]) -> list[tuple[str, str]]:
    """(what is read, value), in the order of ``labels``."""
    return [(label, value) for value, label in labels.items()]


def style_choices(session: Session | None) -> list[tuple[str, str]]:
    """(what is read, name) of the embedded styles and of those a session brought."""
    shipped = [(style_folder.load(name).title or name, name) for name in style_folder.names()]
    mine = [] if session is None else [(f"{name} (yours)", name) for name in session.styles]
    return [(title[:1].upper() + title[1:], name) for title, name in [*shipped, *mine]]


def lead(text: str) -> gr.HTML:
    """The sentence a tab begins with."""
    return gr.HTML(f'<p class="lead">{escape(text)}</p>')


def facts(pairs: list[tuple[str, str]], *, label: str) -> str:
    """A row of figures with their names, as HTML; a label for who cannot see that they belong together."""
    cells = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in pairs)
    return f'<dl class="facts" aria-label="{escape(label)}">{cells}</dl>'


def notice(text: str, kind: str = "plain") -> str:
    """A line of news as HTML; ``kind``: plain, good or bad."""
    return f'<p class="notice {kind}" role="status">{escape(text)}</p>'


def blank(text: str, icon: str) -> str:
    """The place where a result will be, as HTML; ``icon`` is the inside of a 24 x 24 SVG."""
    return f'<div class="blank"><svg viewBox="0 0 24 24" aria-hidden="true">{icon}</svg><p>{escape(text)}</p></div>'
