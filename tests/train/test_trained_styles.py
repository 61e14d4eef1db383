"""The styles trained here and shipped: the contract, and what a user would notice first."""

import hashlib
import re
import tomllib

import numpy as np
import pytest

import engines.runtimes.openvino
from streamtoon import style_folder
from streamtoon.pipeline import crop
from streamtoon.pipeline.find import Finder
from train.data.person_mask import PersonMask

TRAINED = [name for name in style_folder.names() if name in {"engraving", "wash"}]


@pytest.fixture(scope="module")
def face(request):
    """The portrait's crop, and where the person is in it."""
    from fractions import Fraction

    from streamtoon.types import Frame

    frame = Frame((request.getfixturevalue("portrait"),), "rgb24", 0, Fraction(0))
    with Finder() as finder:
        image = crop.crop(frame, crop.square(finder(frame)[0], style_folder.load("engraving").margin, 256), 256).image
    person = PersonMask()
    mask = person(image)
    person.close()
    return image, mask


@pytest.fixture(scope="module", params=TRAINED)
def engine(request):
    """Each style in full precision."""
    loaded = engines.runtimes.openvino.load(style_folder.load(request.param).onnx, precision="f32")
    yield loaded
    loaded.close()


def test_it_draws_the_person_and_leaves_the_rest(engine, face):
    image, mask = face
    drawn = engine(image[None])[0]
    assert np.array_equal(drawn[..., 0], drawn[..., 1]) or len(np.unique(drawn[..., 0])) > 20
    person, empty = mask > 250, mask < 5
    both = ((drawn[..., 3] > 127) & (mask > 127)).sum() / ((drawn[..., 3] > 127) | (mask > 127)).sum()
    assert both > 0.9
    assert (drawn[..., 3][person] == 255).mean() > 0.85
    assert (drawn[..., 3][empty] == 0).mean() > 0.85


def test_features_are_drawn(engine, face):
    grey = engine(face[0][None])[0][..., 1].astype(float)
    middle = grey[60:200, 70:186]
    assert middle.min() < 60
    assert middle.max() >= 245
    assert 0.03 < np.mean(middle < 128) < 0.6


def test_tone_follows_the_light_of_the_skin(engine, face):
    """Darker skin is drawn darker: the middle of the face, under gains on the person alone."""
    image, mask = face
    person = (mask / 255)[..., None]
    tones = []
    for gain in (1.0, 0.75, 0.55, 0.4):
        darker = (image * (1 - person + gain * person)).astype(np.uint8)
        tones.append(engine(darker[None])[0][90:190, 85:171, 1].mean())
    assert tones == sorted(tones, reverse=True)
    assert tones[0] - tones[-1] > 15


@pytest.mark.parametrize("value", [30, 128, 220])
def test_no_checkerboard_on_flat_paper(engine, value):
    flat = engine(np.full((1, 256, 256, 3), value, np.uint8))[0][64:192, 64:192]
    for channel in (1, 3):
        picture = flat[..., channel] / 255
        power = np.abs(np.fft.fft2(picture - picture.mean())) ** 2
        assert (power[64].sum() + power[:, 64].sum()) / picture.size**2 < 1e-3


def test_noise_changes_little(engine, face):
    image = face[0]
    noisy = np.clip(image + np.random.default_rng(0).normal(0, 8, image.shape), 0, 255).astype(np.uint8)
    a, b = (engine(x[None])[0].astype(float) for x in (image, noisy))
    assert np.abs(a - b).mean() < 12


@pytest.mark.parametrize("name", TRAINED)
def test_the_folder_is_whole(name):
    folder = style_folder.load(name).folder
    card = tomllib.loads((folder / "style.toml").read_text(encoding="utf-8"))
    for file, digest in (("onnx", "sha256"), ("fp16", "fp16_sha256")):
        if file in card:
            assert hashlib.sha256((folder / card[file]).read_bytes()).hexdigest() == card[digest]
    assert {"CARD.md", "preview.webp"} <= {f.name for f in folder.iterdir()}
    assert sum(f.stat().st_size for f in folder.iterdir()) < 1_500_000
    text = (folder / "CARD.md").read_text(encoding="utf-8")
    assert card["sha256"] in text
    assert not re.search(r"(?m)(?:^|[\s=`])/\w", text)  # a path of the machine it was made on
