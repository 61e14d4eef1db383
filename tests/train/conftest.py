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
