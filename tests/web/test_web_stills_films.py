"""Photo and Film in a real browser, and the same through gradio_client."""

import base64
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from browsing import family, new_pictures, start, tab, told, visitor, wait_for
from films import tracks
from PIL import Image

from streamtoon import sinks
from streamtoon.film.encoder import Encoding
from streamtoon.image.planes import to_rgb
from streamtoon.privacy.guard import Guard
from streamtoon.sources import portrait


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "collins.png"
    Image.fromarray(portrait.picture()).save(path)
    return path


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """The moving portrait, two seconds, with a tone."""
    path = tmp_path_factory.mktemp("film") / "collins.mp4"
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 320, 240, "yuv420p"
        sound = out.add_stream("aac", rate=48000)
        sound.layout = "mono"
        for index, frame in enumerate(portrait.read("portrait:60@320x240")):
            rgb = to_rgb(frame.planes, frame.layout, frame.colour)
            picture = av.VideoFrame.from_ndarray(rgb, "rgb24")
            picture.pts = index
            out.mux(video.encode(picture))
        t = np.arange(96_000) / 48_000
        for start in range(0, 96_000, 1024):
            wave = (8000 * np.sin(2 * np.pi * 440 * t[start : start + 1024])).astype(np.int16)[None]
            piece = av.AudioFrame.from_ndarray(wave, "s16", "mono")
            piece.sample_rate, piece.pts = 48_000, start
            out.mux(sound.encode(piece))
        out.mux(video.encode(None))
        out.mux(sound.encode(None))
    return path


def test_photo(page, photo, tmp_path):
    tab(page, "Photo")
    assert page.is_disabled("#photo-draw")
    page.set_input_files("#photo-in input[type=file]", photo)
    page.click("#photo-draw:not([disabled])")
    page.wait_for_selector("#photo-pair img >> nth=1")
    assert "1" in page.inner_text("#photo-news .facts dd >> nth=0")
    with page.expect_download() as download:
        page.click("#photo-keep")
    download.value.save_as(tmp_path / "drawn.png")
    drawn = np.asarray(Image.open(tmp_path / "drawn.png").convert("RGB"))
    assert drawn.shape == portrait.picture().shape
    face = np.s_[60:170, 180:270]
    assert np.abs(drawn[face].astype(int) - portrait.picture()[face]).mean() > 4
    page.click("#photo-every")
    page.wait_for_selector("#photo-all img >> nth=1")


def test_the_line_moves_by_keys(page, photo):
    tab(page, "Photo")
    page.set_input_files("#photo-in input[type=file]", photo)
    page.click("#photo-draw:not([disabled])")
    line = page.get_by_role("slider", name="Line between before and after")
    line.wait_for()
    drawing = page.get_by_alt_text("After: the drawing")
    before = drawing.get_attribute("style")
    line.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("(line) => line.getAttribute('aria-valuenow') > 50", arg=line.element_handle())
    assert drawing.get_attribute("style") != before


def test_a_photo_from_the_camera(page):
    tab(page, "Photo")
    page.get_by_label("Capture from camera").click()
    page.get_by_text("Click to Access Webcam").click()
    page.locator("#photo-in").get_by_role("button", name="capture photo").click()
    page.click("#photo-draw:not([disabled])")
    page.wait_for_selector("#photo-pair img >> nth=1")
    assert page.inner_text("#photo-news .facts dd >> nth=0") == "1"


def test_a_photo_from_the_clipboard(page, photo):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab(page, "Photo")
    page.evaluate(
        """(data) => fetch("data:image/png;base64," + data).then((r) => r.blob())
        .then((blob) => navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]))""",
        base64.b64encode(photo.read_bytes()).decode(),
    )
    page.get_by_label("Paste from clipboard").click()
    page.click("#photo-draw:not([disabled])")
    page.wait_for_selector("#photo-pair img >> nth=1")


def test_a_file_that_is_no_photo(page, photo, tmp_path):
    file = tmp_path / "no.png"
    file.write_bytes(b"this is no picture")
    tab(page, "Photo")
    page.set_input_files("#photo-in input[type=file]", file)
    assert "/" not in told(page, "no picture")
    page.set_input_files("#photo-in input[type=file]", photo)  # the place is free for another
    page.wait_for_selector("#photo-draw:not([disabled])")


def test_film(page, film, tmp_path):
    tab(page, "Film")
    page.set_input_files("#film-in input[type=file]", film)
    page.wait_for_selector("#film-draw:not([disabled])")
    assert page.get_by_label("Trim video to selection").is_hidden()  # it would ask another server for its program
    page.click("#film-draw:not([disabled])")
    page.wait_for_selector("#film-cancel:not([disabled])")
    page.wait_for_selector("#film-after video", timeout=90_000)
    assert page.inner_text("#film-news .facts dd >> nth=0") == "60"
    page.wait_for_function("document.querySelector('#film-after video').videoWidth === 320")
    with page.expect_download() as download:
        page.click("#film-keep")
    download.value.save_as(tmp_path / "drawn.mp4")
    assert tracks(tmp_path / "drawn.mp4", "audio") == tracks(film, "audio")
    with av.open(str(tmp_path / "drawn.mp4")) as drawn:
        assert sum(1 for _ in drawn.decode(video=0)) == 60


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """A film of fifty seconds."""
    path = tmp_path_factory.mktemp("long") / "long.mp4"
    guard, frames = Guard(private=False), list(portrait.read("portrait:30@640x360"))
    with sinks.open(str(path), sinks.Options(encoding=Encoding(preset="ultrafast"), rate=30)) as send:
        for index in range(1500):
            frame = replace(frames[index % 30], index=index, seconds=Fraction(index, 30))
            send(guard(frame, None, 0))
    return path


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system does not tell which processes there are")
def test_a_page_closed_in_the_middle_of_a_film(browser, site, long):
    """The work ends with the page, and its files go."""
    before = site.files()
    with visitor(browser, site.address) as page:
        tab(page, "Film")
        page.set_input_files("#film-in input[type=file]", long)
        page.click("#film-draw:not([disabled])")
        page.wait_for_selector("#film-news progress", timeout=90_000)
        (job,) = family(site.process.pid) - {site.process.pid}
        assert len(site.files()) > len(before)
    wait_for(lambda: not Path(f"/proc/{job}").exists())
    wait_for(lambda: site.files() == before)


def test_a_film_is_cancelled(page, long):
    tab(page, "Film")
    page.set_input_files("#film-in input[type=file]", long)
    page.click("#film-draw:not([disabled])")
    page.wait_for_selector("#film-news progress", timeout=90_000)
    tab(page, "Live")  # which a long film does not keep waiting
    start(page)
    new_pictures(page, 10)
    page.click("#live-stop")
    tab(page, "Film")
    page.click("#film-cancel:not([disabled])")
    page.wait_for_selector("#film-draw:not([disabled])")
    assert "Stopped" in page.inner_text("#film-news")


def test_a_file_that_is_no_film(page, tmp_path):
    file = tmp_path / "no.mp4"
    file.write_bytes(b"this is no film" * 100)
    tab(page, "Film")
    page.set_input_files("#film-in input[type=file]", file)
    assert "/" not in told(page, "Cannot read no.mp4")
    assert page.is_disabled("#film-draw")


def test_client(site, photo, film):
    gradio_client = pytest.importorskip("gradio_client")
    client = gradio_client.Client(site.address, verbose=False)
    assert client.predict(api_name="/styles") == ["comic", "engraving", "line", "wash"]
    drawn = client.predict(gradio_client.handle_file(photo), "wash", "head", "paper", api_name="/photo")
    assert Image.open(drawn).size == (512, 512)
    path, words = client.predict(gradio_client.handle_file(film), "engraving", "head", "keep", False, api_name="/film")
    assert "60 frames" in words
    assert tracks(path, "audio") == tracks(film, "audio")
    with pytest.raises(Exception, match="no style"):
        client.predict(gradio_client.handle_file(photo), "../../etc", "head", "paper", api_name="/photo")
