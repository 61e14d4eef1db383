"""The pages' pictures, made anew of NASA's portrait: ``python docs/pictures.py``; needs chromium and playwright."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

import streamtoon
from streamtoon.image.planes import to_rgb
from streamtoon.sources import portrait

DOCS: Final = Path(__file__).parent
WIDTH_PX: Final = 1600
BUST: Final = np.s_[:320, 70:390]  # of the portrait: what head styles draw fills it


def row(pictures: list[np.ndarray], file: Path) -> None:
    """Write pictures, (h, w, 3) uint8 RGB of one height, beside each other."""
    sheet = Image.fromarray(np.hstack(pictures))
    height = round(WIDTH_PX * sheet.height / sheet.width)
    sheet.resize((WIDTH_PX, height), Image.Resampling.LANCZOS).save(file, quality=88, method=6)


def page(file: Path) -> None:
    """Write what the page's Live tab shows while it draws the moving portrait."""
    sys.path.insert(0, str(DOCS.parent / "tests" / "web"))
    import browsing
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        film = browsing.camera(Path(folder, "portrait.y4m"))
        site = browsing.Site()
        with browsing.chromium(playwright, film) as browser, browsing.visitor(browser, site.address) as opened:
            browsing.start(opened)
            browsing.new_pictures(opened, 60)
            opened.screenshot(path=str(Path(folder, "page.png")), full_page=True)
        site.close()
        Image.open(Path(folder, "page.png")).save(file, quality=88, method=6)


def main() -> None:
    """Draw them all."""
    *_, frame = portrait.read("portrait:150@1280x720")
    photo = to_rgb(frame.planes, frame.layout, frame.colour)
    row([photo, streamtoon.draw(photo)], DOCS / "before-after.webp")
    small = portrait.picture()
    drawn = [streamtoon.draw(small, style, background="paper") for style in ("line", "engraving", "wash")]
    row([picture[BUST] for picture in (streamtoon.draw(small, "comic"), *drawn)], DOCS / "styles.webp")
    page(DOCS / "web.webp")


if __name__ == "__main__":
    main()
