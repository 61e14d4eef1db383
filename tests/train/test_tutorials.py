"""The tutorials, shortened: they must learn, and end in a picture."""

from pathlib import Path

import cv2
import pytest

pytest.importorskip("torch")

from train.tutorials import cyclegan, gan


def test_the_gan_finds_heaps(tmp_path, capsys):
    points = gan.train(gan.Args(tmp_path / "gan.png", steps=900, batch=128))
    found, good = gan.modes(points)
    assert found >= 5
    assert good > 0.2
    assert capsys.readouterr().out.count("of 8 heaps") == 5
    assert cv2.imread(str(tmp_path / "gan.png")).shape == (240, 5 * 240, 3)


def test_heaps_are_counted():
    assert gan.modes(gan.real(2000))[0] == 8
    assert gan.modes(gan.centres()[:1].expand(2000, 2)) == (1, 1.0)
    assert gan.modes(gan.centres() * 3) == (0, 0.0)


def test_the_cyclegan_finds_the_map(tmp_path):
    off = cyclegan.train(cyclegan.Args(tmp_path / "cyclegan.png", steps=700, batch=128))
    assert off < 0.45
    assert cv2.imread(str(tmp_path / "cyclegan.png")).shape == (320, 3 * 320, 3)


@pytest.mark.parametrize("module", [gan, cyclegan])
def test_they_stay_short(module):
    assert len(Path(module.__file__).read_text(encoding="utf-8").splitlines()) <= 150
