"""One server and one browser for all tests here; without a browser they skip, or fail where one is required."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import browsing

REQUIRED = os.environ.get("REQUIRE_BROWSER") == "1"


@pytest.fixture(scope="session")
def camera(tmp_path_factory):
    return browsing.camera(tmp_path_factory.mktemp("camera") / "portrait.y4m")


@pytest.fixture(scope="session")
def browser(camera):
    if browsing.CHROMIUM is None:
        (pytest.fail if REQUIRED else pytest.skip)("there is no chromium here: apt-get install chromium")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright, browsing.chromium(playwright, camera) as opened:
        yield opened


@pytest.fixture(scope="session")
def bare():
    """A server for tests that need no browser; it takes files of a megabyte."""
    running = browsing.Site("--max-upload", "1")
    yield running
    running.close()


@pytest.fixture(scope="session")
def site(browser):
    running = browsing.Site()
    yield running
    running.close()


@pytest.fixture
def page(browser, site):
    """The page, freshly opened in a context of its own; what the browser complains about fails the test."""
    with browsing.visitor(browser, site.address) as opened:
        yield opened
