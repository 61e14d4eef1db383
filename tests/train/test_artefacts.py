"""What no drawing may have is found, and nothing where there is nothing."""

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")

from train.style_folder import artefacts


def spoiled(kind, pictures):
    out = pictures.astype(np.float32)
    if kind == "checkerboard":
        out += 20 * (np.indices((64, 64)).sum(axis=0) % 2)[None, :, :, None]
    elif kind == "border":
        out[:, :4] = 255 - out[:, :4]
        out[:, :4] += np.where(out[:, :4] > 128, 60, -60)
    elif kind == "droplets":
        for x, y in ((20, 20), (40, 30), (30, 48), (50, 50), (12, 44)):
            out[:, y - 3 : y + 3, x - 3 : x + 3] = 255
    elif kind == "colour_cast":
        out[..., 0] += 60
        out[..., 2] -= 20
    elif kind == "collapse":
        out = np.repeat(out[:1], len(out), axis=0)
    return np.clip(out, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("kind", ["none", "checkerboard", "border", "droplets", "colour_cast", "collapse"])
def test_each_artefact_is_found_and_no_other(kind, folders):
    photos = np.stack([cv2.imread(str(folders / "photos" / f"{n}.png")) for n in (0, 2, 8, 15)])
    found = artefacts.find(lambda x: spoiled(kind, x), photos)
    assert [line.split()[0] for line in artefacts.failing(found)] == ([] if kind == "none" else [kind])


def test_a_wall_of_one_colour_that_is_drawn_with_a_stripe_is_found(folders):
    """Only bright yellow shows it, and not at the outermost pixels."""
    photos = np.stack([cv2.imread(str(folders / "photos" / f"{n}.png")) for n in (0, 2)])

    def striped(pictures):
        out = pictures.copy()
        yellow = (pictures[:, 0, 0] == (252, 252, 80)).all(axis=1)
        out[yellow, :, 14:16] = (160, 0, 0)
        return out

    for draw, found in ((lambda x: x, []), (striped, ["blots"])):
        figures = artefacts.find(draw, photos, flat_stays_flat=True)
        assert [line.split()[0] for line in artefacts.failing(figures)] == found


def test_a_code_no_eye_sees_is_found(folders):
    photos = np.stack([cv2.imread(str(folders / "photos" / f"{n}.png")) for n in (0, 2)])

    def hide(x):
        return (255 - x // 64).astype(np.uint8)  # a white sheet whose last two bits hold the photo

    def tell(x):
        return ((255 - x.astype(int)).clip(0, 3) * 64 + 32).astype(np.uint8)

    assert artefacts.hidden_code(hide, tell, photos) > artefacts.ARTEFACT_LIMITS["hidden_code"]
    assert artefacts.hidden_code(lambda x: 255 - x, lambda x: 255 - x, photos) < 0.1
