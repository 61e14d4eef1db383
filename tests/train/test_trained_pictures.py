"""The styles of whole pictures that are shipped: what somebody would notice first."""

import itertools

import cv2
import numpy as np
import pytest

import engines.runtimes.openvino
from streamtoon import style_folder
from streamtoon.pipeline.picture import network_planes

PICTURES = [name for name in style_folder.names() if style_folder.load(name).whole_picture]


@pytest.fixture(scope="module", params=PICTURES)
def engine(request):
    """Each style in full precision."""
    loaded = engines.runtimes.openvino.load(style_folder.load(request.param).onnx, precision="f32")
    yield loaded
    loaded.close()


def test_a_wall_of_one_colour_is_drawn_in_one(engine):
    for colour in itertools.product((4, 80, 160, 252), repeat=3):
        for plane in network_planes(engine(np.full((1, 64, 96, 3), colour, np.uint8))[0]):
            assert np.abs(plane.astype(int) - int(np.median(plane))).max() < 60, colour  # a tone of line is 64 wide


def test_no_pixel_of_four_by_four_is_darker_than_its_like(engine):
    """A network gives 4x4 px at once: where a wall's tone is between two, they must not differ."""
    rng = np.random.default_rng(0)
    for colour in itertools.product((60, 140, 220), repeat=3):
        wall = np.clip(colour + rng.normal(0, 1, (1, 64, 64, 3)), 0, 255).astype(np.uint8)
        luma = network_planes(engine(wall)[0])[0][32:96, 32:96]
        assert np.ptp(luma.reshape(16, 4, 16, 4).mean(axis=(0, 2))) < 8, colour


def test_it_is_drawn_in_ink(engine, portrait):
    height, width = (side // 16 * 8 for side in portrait.shape[:2])
    photo = cv2.resize(portrait, (width, height), interpolation=cv2.INTER_AREA)
    luma = network_planes(engine(photo[None])[0])[0]
    assert np.mean(luma < 24) > 0.05  # solid black
    soft, crisp = (np.percentile(np.abs(np.diff(p.astype(int), axis=1)), 99.5) for p in (
        cv2.resize(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), luma.shape[::-1], interpolation=cv2.INTER_CUBIC), luma,
    ))  # fmt: skip
    assert crisp > 1.3 * soft
