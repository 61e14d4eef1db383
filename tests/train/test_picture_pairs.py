"""Teachers of whole pictures, and the pairs they make."""

import json

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")

from foundation.errors import UsageError
from train import teachers
from train.__main__ import main
from train.data import picture_pairs
from train.data.walls import COUNT
from train.teachers import _filters as filters
from train.teachers import _flow as flows
from train.teachers import comic, line


@pytest.fixture(scope="module")
def photo(request):
    """64x96 of the portrait's face."""
    face = request.getfixturevalue("portrait")[40:232, 86:374]
    return np.ascontiguousarray(cv2.resize(face, (96, 64), interpolation=cv2.INTER_AREA))


def unit(picture):
    return picture.astype(np.float32) / 255


def planes(tensor):
    return tensor.permute(1, 2, 0).numpy()


@pytest.mark.parametrize("sigma", [0.6, 3.5, 40.0])
def test_a_blur_is_opencvs(photo, sigma):
    ours = planes(filters.blur(filters.to_tensor(photo).cpu(), sigma))
    if sigma < 10:  # OpenCV reflects once only
        assert np.abs(ours - cv2.GaussianBlur(unit(photo), (0, 0), sigma)).max() < 1e-4
    assert ours.mean() == pytest.approx(unit(photo).mean(), abs=0.03)


def test_a_bilateral_filter_and_lab_are_opencvs(photo):
    tensor = filters.to_tensor(photo).cpu()
    assert (
        np.abs(planes(filters.bilateral(tensor, 0.07, 2.75)) - cv2.bilateralFilter(unit(photo), 0, 0.07, 2.75)).max()
        < 5e-3
    )
    lab = filters.rgb_to_lab(tensor)
    assert np.abs(planes(lab) - cv2.cvtColor(unit(photo), cv2.COLOR_RGB2Lab)).max() < 0.5
    assert np.abs(planes(filters.lab_to_rgb(lab)) - unit(photo)).max() < 2e-3


def test_the_flow_follows_an_edge_and_filters_follow_the_flow():
    picture = np.zeros((40, 40, 3), np.uint8)
    picture[:, 20:] = 200
    tensor = filters.to_tensor(picture).cpu()
    field = flows.flow(tensor, 2.0)
    assert np.abs(field.tangent[1, :, 18:22].numpy()).min() > 0.99
    assert field.certainty[:, 18:22].min() > 0.8
    plane = filters.grey(tensor)
    assert np.abs((flows.along(plane, field, 4.0) - plane).numpy()).max() < 0.02  # nothing runs over the edge
    edge = (flows.difference(plane, field, 1.0, 20.0) - plane).numpy()
    assert edge[20, 19] < -0.5 < 0.5 < edge[20, 20]
    noisy = np.clip(picture + np.random.default_rng(0).normal(0, 12, picture.shape), 0, 255).astype(np.uint8)
    calm = planes(flows.kuwahara(filters.to_tensor(noisy).cpu(), field, 4.0))
    assert calm[5:35, 5:15].std() < 0.4 * unit(noisy)[5:35, 5:15].std()
    assert calm[20, 22, 0] - calm[20, 17, 0] > 0.7


@pytest.mark.parametrize("teacher", [comic, line])
def test_a_teacher_draws_any_size_the_same_on_every_run(photo, teacher):
    for picture in (photo, photo[:17, :51], photo[:1, :1]):
        drawn = teacher.draw(np.ascontiguousarray(picture), None, None)
        assert drawn.shape == picture.shape
        assert drawn.dtype == np.uint8
    assert np.array_equal(teacher.draw(photo), teacher.draw(photo))
    assert np.abs(teacher.draw(photo).astype(int) - photo).mean() > 3


def test_comic_enriches_colours_and_line_draws_grey_on_paper(photo):
    skin = np.full((32, 48, 3), (150, 100, 80), np.uint8)
    before, after = (cv2.cvtColor(unit(p)[:1, :1], cv2.COLOR_RGB2Lab)[0, 0, 1:] for p in (skin, comic.draw(skin)))
    assert np.abs(after - comic.CHROMA * before).max() < 1
    drawn = line.draw(photo)
    assert np.ptp(drawn, axis=2).max() == 0
    assert (line.draw(np.full((32, 48, 3), 200, np.uint8)) > 250).all()
    assert line.draw(np.full((32, 48, 3), 110, np.uint8)).mean() == pytest.approx(0.75 * 255, abs=4)  # a layer of wash


def test_a_picture_is_sized_without_stretching(photo):
    assert picture_pairs.sized(photo, 200.0).shape == (96, 144, 3)  # 1.5 times at most
    smaller = picture_pairs.sized(photo, 50.0)
    assert smaller.shape == (48, 64, 3)
    expected = cv2.resize(photo, (75, 50), interpolation=cv2.INTER_AREA)[1:49, 5:69]
    assert np.array_equal(smaller, expected)
    assert max(picture_pairs.sized(np.zeros((30, 3000, 3), np.uint8), 30.0).shape) <= picture_pairs.MAX_LONG_PX


@pytest.fixture
def photos(tmp_path, photo):
    """By their names one photo to train with, one to watch and one held out; and a file that is none."""
    folder = tmp_path / "photos" / "inner"
    folder.mkdir(parents=True)
    for name in ("0.png", "1.png", "7.png"):
        cv2.imwrite(str(folder / name), photo[:48, :, ::-1])
    (folder / "broken.png").write_bytes(b"no picture")
    return folder.parent


def run(photos, out, *more):
    line = ["picture-pairs", "--photos", photos, "--out", out, "--scales", "32", "48", "--workers", "1", *more]
    return main([str(part) for part in line])


def test_pairs_are_made_told_of_read_and_kept(photos, tmp_path, capsys):
    out = tmp_path / "pairs"
    assert run(photos, out) == 0
    made = sorted(f.relative_to(out).as_posix() for f in out.rglob("*.npy"))
    assert [name for name in made if "wall-" not in name] == ["train/0-0.npy", "val/1-0.npy"]
    assert len(made) == 2 + COUNT
    note = json.loads((out / "pairs.json").read_text())
    assert note["counts"] == {"train": 1, "val": 1}
    assert note["unreadable"] == ["broken.png"]
    (photo, drawing), *bare = picture_pairs.load(out, "train")
    assert sum(not np.ptp(wall, axis=(0, 1)).any() for wall, _ in bare) >= COUNT // 2  # of one colour
    assert photo.shape == drawing.shape
    assert photo.shape in {(32, 64, 3), (32, 80, 3)}  # 48 x 96 made 32 to 48 high, cut to multiples of 16
    assert np.array_equal(drawing, comic.draw(np.array(photo)))

    kept = (out / "train" / "0-0.npy").read_bytes()
    (out / "train" / "0-0.npy").unlink()
    (out / "val" / "1-0.npy").write_bytes(b"kept")
    assert run(photos, out) == 0
    assert (out / "train" / "0-0.npy").read_bytes() == kept
    assert (out / "val" / "1-0.npy").read_bytes() == b"kept", "what is there is not made again"
    with pytest.raises(UsageError, match="no pair of pictures"):
        picture_pairs.load(out, "val")

    assert run(photos, out, "--seed", 1) == 2
    assert "begun with another seed" in capsys.readouterr().err


def test_what_cannot_be_made_is_told_in_a_line(photos, tmp_path, capsys):
    assert run(photos, tmp_path / "pairs", "--teacher", "ink") == 2
    assert "'ink' draws heads" in capsys.readouterr().err
    with pytest.raises(UsageError, match="'comic' draws whole pictures, which `pairs` cannot use"):
        teachers.load("comic")
    assert run(tmp_path / "gone", tmp_path / "pairs") == 2
    with pytest.raises(UsageError, match="no pictures to train with"):
        picture_pairs.load(tmp_path, "train")
    cv2.imwrite(str(photos / "0.jpg"), np.zeros((32, 32, 3), np.uint8))
    assert run(photos, tmp_path / "pairs") == 2
    assert "have the same name" in capsys.readouterr().err
