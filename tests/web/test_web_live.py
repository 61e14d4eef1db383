"""Live in a real browser: what comes back is drawn, moves, follows the controls, and stops."""

import numpy as np
from browsing import PATIENCE, new_pictures, shown, start

from streamtoon.image.planes import to_rgb
from streamtoon.sources import portrait


def camera_pictures(size):
    return [to_rgb(f.planes, f.layout, f.colour) for f in portrait.read(f"portrait:60@{size[1]}x{size[0]}")][::3]


def nearest(picture, others):
    """Mean difference from the most alike of ``others``, grey levels, in the middle of the picture."""
    h, w = picture.shape[:2]
    part = np.s_[h // 4 : 3 * h // 4, w // 4 : 3 * w // 4]
    return min(float(np.abs(picture[part].astype(int) - other[part]).mean()) for other in others)


def corner(picture):
    return picture[4:24, 4:24].reshape(-1, 3).mean(axis=0)


def test_drawn_pictures_move(page):
    start(page)
    new_pictures(page, 24)
    first = shown(page)
    new_pictures(page, 24)
    second = shown(page)
    assert first.shape == second.shape == (480, 640, 3)
    assert np.abs(first.astype(int) - second).mean() > 1  # it moves
    cameras = camera_pictures(first.shape)
    assert (
        min(nearest(c, cameras[:i] + cameras[i + 1 :]) for i, c in enumerate(cameras[1:-1], 1)) < 15
    )  # the measure works
    assert nearest(first, cameras) > 6
    assert corner(first).min() > 245  # paper, where the camera shows a flag
    assert float((first < 60).all(axis=2).mean()) > 0.02  # and black on it
    assert page.inner_text(".badge.safe").strip() == "SAFE"
    assert float(page.inner_text("#live-fps")) > 1
    assert "ms" in page.inner_text("#live-latency")
    assert "openvino" in page.inner_text("#live-engine")


def test_controls_change_it_while_it_runs(page):
    region = page.locator("#live-region")
    assert region.get_by_label("People").is_checked()
    start(page)
    page.click("#live-style input")
    page.get_by_role("option", name="Ink wash").click()
    page.wait_for_function(PAPER, arg=[252, 249, 242], timeout=PATIENCE)  # the paper of wash is not white
    assert region.get_by_label("Head and shoulders").is_checked()  # it follows the style, which draws no people
    assert region.get_by_label("People").count() == 0
    page.get_by_label("Drawn room").check()
    page.wait_for_function(f"!({PAPER})([252, 249, 242])", timeout=PATIENCE)
    assert page.inner_text(".badge.safe").strip() == "SAFE"
    page.get_by_label("Room as it is").check()
    page.wait_for_function("document.getElementById('live-safe').textContent === 'ROOM SHOWN'")
    page.get_by_label("Paper").check()
    page.wait_for_function("document.getElementById('live-safe').textContent === 'SAFE'")
    page.get_by_label("Mirror my view").uncheck()
    page.wait_for_selector(".stage.plain")
    new_pictures(page, 5)
    assert page.get_attribute(".stage", "data-state") == "live"


# whether the mean of the picture's corner is a colour, to four levels
PAPER = """(colour) => { const v = document.getElementById('live-video'), c = document.createElement('canvas');
  c.width = v.videoWidth; c.height = v.videoHeight; const s = c.getContext('2d'); s.drawImage(v, 0, 0);
  const d = s.getImageData(4, 4, 20, 20).data; const m = [0, 0, 0];
  for (let i = 0; i < d.length; i++) if (i % 4 < 3) m[i % 4] += d[i] / 400;
  return m.every((x, i) => Math.abs(x - colour[i]) < 4) && m[0] - m[2] > 4; }"""


def test_snapshot_and_stop(page):
    start(page)
    with page.expect_download() as download:
        page.click("#live-snap")
    assert download.value.suggested_filename.endswith(".png")
    page.evaluate("window.track = document.getElementById('live-video').srcObject.getTracks()[0]")
    page.click("#live-stop")
    page.wait_for_selector('.stage[data-state="idle"]')
    page.wait_for_selector("#live-start:not([disabled])")
    assert page.evaluate("document.getElementById('live-video').srcObject") is None
    start(page)  # and again
    new_pictures(page, 5)


def test_stop_frees_the_camera(page):
    page.evaluate(
        """() => { const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        navigator.mediaDevices.getUserMedia = async (...a) => (window.camera = await real(...a)); }"""
    )
    start(page)
    assert page.evaluate("camera.getTracks().map((t) => t.readyState)") == ["live"]
    page.click("#live-stop")
    page.wait_for_function("camera.getTracks().every((t) => t.readyState === 'ended')")


def test_reload_in_the_middle(page):
    start(page)
    page.reload(wait_until="domcontentloaded")
    page.wait_for_selector("#live-start:not([disabled])")
    start(page)
    new_pictures(page, 5)


def test_a_camera_that_is_refused(browser, site):
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script(
        "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'))"
    )
    page.goto(site.address, wait_until="domcontentloaded")
    page.click("#live-start")
    page.wait_for_selector("#live-notice:not([hidden])")
    assert "not allowed to use the camera" in page.inner_text("#live-notice")
    page.wait_for_selector("#live-start:not([disabled])")
    context.close()


def test_without_webrtc_the_picture_stream_takes_over(browser, site):
    context = browser.new_context(viewport={"width": 1280, "height": 1400}, permissions=["camera"])
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.add_init_script("delete window.RTCPeerConnection")
    page.goto(site.address, wait_until="domcontentloaded")
    page.click("#live-start")
    page.wait_for_selector("#live-notice:not([hidden])")
    assert "no WebRTC" in page.inner_text("#live-notice")
    before = site.files()
    page.get_by_text("Click to Access Webcam").click()
    page.get_by_role("button", name="capture photo").click()
    page.wait_for_selector("#stream-drawn img")
    page.wait_for_function(  # from the card, which has no black, to a drawing
        """() => { const i = document.querySelector('#stream-drawn img'), c = document.createElement('canvas');
        c.width = i.naturalWidth; c.height = i.naturalHeight; const s = c.getContext('2d'); s.drawImage(i, 0, 0);
        const d = s.getImageData(0, 0, c.width, c.height).data; let black = 0;
        for (let k = 0; k < d.length; k += 4) black += d[k] < 50; return black > 2000 && d[0] > 240; }"""
    )
    assert site.files() == before  # no camera picture touches the disk
    context.close()
