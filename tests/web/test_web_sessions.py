"""Two people at once, what goes when they go, and that no answer tells where this machine keeps things."""

import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from browsing import Site, new_pictures, shown, start, tab, visitor, wait_for
from PIL import Image

from streamtoon.sources import portrait


def test_two_people_at_once(browser, site):
    with visitor(browser, site.address) as one, visitor(browser, site.address) as other:
        start(one)
        start(other)
        one.click("#live-style input")
        one.get_by_role("option", name="Ink wash").click()
        one.wait_for_function(
            """() => { const v = document.getElementById('live-video'), c = document.createElement('canvas');
            c.width = c.height = 20; const s = c.getContext('2d'); s.drawImage(v, 0, 0, 20, 20, 0, 0, 20, 20);
            const d = s.getImageData(8, 8, 1, 1).data; return d[0] - d[2] > 4; }"""
        )
        new_pictures(other, 10)
        corner = shown(other)[4:24, 4:24].reshape(-1, 3).mean(axis=0)
        assert corner.max() - corner.min() < 4  # the other's paper is still white
        one.click("#live-stop")
        one.wait_for_selector("#live-start:not([disabled])")
        new_pictures(other, 5)


def test_a_session_ends_with_its_page(browser, tmp_path):
    photo = tmp_path / "collins.png"
    Image.fromarray(portrait.picture()).save(photo)
    site = Site("--max-sessions", "1")
    try:
        with visitor(browser, site.address) as page:
            tab(page, "Photo")
            page.set_input_files("#photo-in input[type=file]", photo)
            page.click("#photo-draw:not([disabled])")
            page.wait_for_selector("#photo-pair img >> nth=1")
            addresses = [img.get_attribute("src") for img in page.query_selector_all("#photo-pair img")]
            assert all(str(site.root) not in address for address in addresses)
            assert site.files()
            tab(page, "Live")
            start(page)
            with visitor(browser, site.address) as late:
                late.click("#live-start")
                late.wait_for_selector("#live-notice:not([hidden])")
                assert "limit" in late.inner_text("#live-notice")
                late.wait_for_selector("#live-start:not([disabled])")
        with visitor(browser, site.address) as page:
            wait_for(lambda: not site.files())
            start(page)  # the place is free again
            assert site.process.poll() is None
            site.close()  # in the middle of it
    finally:
        site.close()


def test_no_answer_tells_a_path(browser, site, tmp_path):
    """Every text the browser gets while all tabs are used."""
    photo = tmp_path / "collins.png"
    Image.fromarray(portrait.picture()).save(photo)
    secrets = [
        tempfile.gettempdir() + "/",
        str(Path.home()) + "/",
        sys.prefix,
        str(Path(__file__).parent.parent),
        str(Path.cwd()),
    ]
    told = []

    def note(response):
        kind = response.headers.get("content-type", "")
        if kind.startswith(("application/json", "text/html", "text/event-stream")):
            try:
                told.append((response.url, response.text()))
            except Exception:  # noqa: BLE001 - a stream that was cut has no body any more
                told.append((response.url, ""))

    with visitor(browser, site.address) as page:
        page.on("response", note)
        page.reload(wait_until="domcontentloaded")
        tab(page, "Photo")
        page.set_input_files("#photo-in input[type=file]", photo)
        page.click("#photo-draw:not([disabled])")
        page.wait_for_selector("#photo-pair img >> nth=1")
        for wrong in ("../../../etc/passwd", "/etc/passwd"):
            answer = page.evaluate("(p) => fetch('/gradio_api/file=' + p).then((r) => r.status)", wrong)
            assert answer in (403, 404)
        tab(page, "Styles")
        tab(page, "Machine")
        page.wait_for_selector("#machine-table table", timeout=90_000)
        page.wait_for_timeout(500)
        html = page.content()
    texts = [html, *(text for _, text in told)]
    assert sum(bool(text) for text in texts) > 3
    assert [s for s in secrets for text in texts if s in text] == []


def test_machine_and_bench(page):
    tab(page, "Machine")
    page.wait_for_selector("#machine-table table", timeout=90_000)
    assert "engine openvino" in page.inner_text("#machine-table")
    page.click("#machine-bench")
    page.wait_for_selector("#machine-chart .bar", timeout=120_000)
    assert "draw" in page.inner_text("#machine-chart")
    assert np.all([float(w.inner_text().split()[0]) > 0 for w in page.query_selector_all("#machine-chart .bar dd")])


def test_phone(browser, site):
    context = browser.new_context(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    page = context.new_page()
    page.goto(site.address, wait_until="domcontentloaded")
    start(page)
    new_pictures(page, 5)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    box = page.locator("#live-video").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    context.close()


@pytest.mark.parametrize("system", ["light", "dark"])
def test_light_and_dark(browser, site, system):
    """The system's choice, until somebody chooses; then theirs, when they come again too."""
    with visitor(browser, site.address, color_scheme=system) as page:
        is_dark = "document.body.classList.contains('dark')"
        page.wait_for_function(f"{is_dark} === {str(system == 'dark').lower()}")
        page.get_by_label("Dark colours").click()
        page.wait_for_function(f"{is_dark} === {str(system != 'dark').lower()}")
        page.reload(wait_until="domcontentloaded")
        page.wait_for_selector("#live-start")
        page.wait_for_function(f"{is_dark} === {str(system != 'dark').lower()}")
        assert page.get_by_label("Dark colours").get_attribute("aria-pressed") == str(system != "dark").lower()


@pytest.mark.parametrize("tab_name", ["Live", "Photo", "Film", "Styles", "Machine"])
def test_everything_has_a_name(page, tab_name):
    """Every control that is shown can be told by who does not see it, and every picture has a text."""
    tab(page, tab_name)
    page.wait_for_timeout(300)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('button, input, select, textarea, video, img')].filter((e) =>
        e.offsetParent && !(e.innerText?.trim() || e.ariaLabel || e.title || e.alt || e.labels?.length
        || e.getAttribute('aria-labelledby') || e.type === 'file')).map((e) => e.outerHTML.slice(0, 200))"""
    )
    assert nameless == []
