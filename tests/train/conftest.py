"""Small pictures to train on: the portrait in many lights, and rings and bars drawn in ink."""

import cv2
import numpy as np
import pytest


@pytest.fixture(scope="session")
def folders(tmp_path_factory, request):
    """Folders photos and drawings of 16 and 12 pictures of 64x64."""
    folder = tmp_path_factory.mktemp("unpaired")
    face = cv2.resize(request.getfixturevalue("portrait")[0:260, 100:360, ::-1], (64, 64), interpolation=cv2.INTER_AREA)
    rng = np.random.default_rng(0)
    for name, count in (("photos", 16), ("drawings", 12)):
        (folder / name).mkdir()
        for n in range(count):
            picture = cv2.convertScaleAbs(np.roll(face, n % 5 - 2, axis=1), alpha=1 - n / 40)
            if name == "drawings":
                picture = np.full((64, 64, 3), 250, np.uint8)
                x, y = (int(v) for v in rng.integers(20, 44, 2))
                cv2.circle(picture, (x, y), 8 + n, (10, 10, 10), 2)
                cv2.line(picture, (x, y), (y, 63 - x), (10, 10, 10), 2)
            cv2.imwrite(str(folder / name / f"{n}.png"), picture)
    return folder


@pytest.fixture(scope="session")
def prepared(tmp_path_factory, request):
    """Photos of one person under eight names, prepared."""
    from train.data import prepare

    folder = tmp_path_factory.mktemp("prepared")
    (folder / "photos").mkdir()
    picture = request.getfixturevalue("portrait")[:, :, ::-1]
    for n in range(8):  # names whose hash falls into train, val and test
        cv2.imwrite(str(folder / "photos" / f"p{n}.png"), cv2.convertScaleAbs(picture, alpha=1 - n / 30))
    (folder / "photos" / "broken.jpg").write_bytes(b"no picture")
    cv2.imwrite(str(folder / "photos" / "nobody.png"), np.full((99, 99, 3), 99, np.uint8))
    prepare.prepare(prepare.Args(folder / "photos", folder / "crops"))
    return folder
