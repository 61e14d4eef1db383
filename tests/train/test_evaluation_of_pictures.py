"""Figures of picture styles that must tell good from bad: each is shown something known."""

import json

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from foundation.errors import UsageError
from tests import picture_styles
from tests.whole_pictures import Copy
from train import __main__ as program
from train import teachers
from train.evaluation import drawn_faces, metrics, steadiness, vgg, whole_pictures
from train.evaluation.drawn_faces import Kept


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """On these small pictures threads wait for each other, for seconds where other tests run beside."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


NOWHERE = (float("nan"), float("nan"))


def test_correlations_are_the_textbook_s():
    x = torch.tensor([1.0, 2.0, 3.0, 4.0])
    assert metrics.correlation(x, 5 - 2 * x) == pytest.approx(-1)
    assert metrics.correlation(x, torch.tensor([1.0, 3.0, 2.0, 4.0])) == pytest.approx(0.8)
    assert metrics.rank_correlation(x, x**5) == pytest.approx(1)
    assert np.isnan(metrics.correlation(x, torch.ones(4)))
    assert np.isnan(metrics.rank_correlation(x[:1], x[:1]))


def test_what_moves_along_is_steady_and_what_stays_on_the_glass_is_not(portrait):
    still = cv2.resize(portrait, (160, 128), interpolation=cv2.INTER_AREA)
    screen = np.indices((128, 160)).sum(axis=0)[..., None] % 2 * 255
    same = steadiness.measure([still], lambda x: x)
    assert same["change"] == pytest.approx(1)
    assert same["difference"] == 0
    assert steadiness.measure([still], lambda x: 255 - x)["warping_error"] == pytest.approx(same["warping_error"])
    softer = steadiness.measure([still], lambda x: x // 2)
    assert softer["change"] == pytest.approx(0.5, abs=0.03)
    glass = steadiness.measure([still], lambda x: np.where(x > screen, 255, 0).astype(np.uint8))
    assert glass["change"] < 1  # hardly anything changes, which is the fault
    assert glass["difference"] > 5
    assert glass["warping_error"] > 10 * same["warping_error"]
    hard = steadiness.measure([still], lambda x: np.where(x > 128, 255, 0).astype(np.uint8))
    assert hard["change"] > 1.15


def test_the_warping_error_is_of_a_known_size():
    """A drawing that is 51 levels lighter in every other frame is off by .2 in each pair."""
    frames = [np.full((64, 64, 3), 100 + 51 * (i % 2), np.uint8) for i in range(steadiness.FRAMES)]
    assert steadiness.rulers(frames, frames)["warping_error"] == pytest.approx(0.04)


def face(skin=(50.0, 50.0), mouth=(0.2, 0.2), eyes=(0.3, 0.3), *, found=True, off=0.1):
    return Kept(found, off, mouth, eyes, skin)


def test_the_summary_of_faces_is_the_figures_by_hand():
    faces = [
        face(skin=(30.0, 40.0), mouth=(0.1, 0.2), eyes=(0.2, 0.3)),
        face(skin=(50.0, 50.0), mouth=(0.3, 0.3), eyes=(0.3, 0.2), off=0.2),
        face(skin=(70.0, 60.0), mouth=(0.5, 0.4), eyes=(0.4, 0.1)),
        face(skin=(90.0, 70.0), mouth=NOWHERE, eyes=NOWHERE, found=False, off=float("nan")),
    ]
    told = drawn_faces.summary(faces)
    assert told["faces"] == 4
    assert told["found_again"] == told["landmarks_found"] == 0.75
    assert told["landmark_error"] == pytest.approx(0.4 / 3)
    assert told["mouth_r"] == pytest.approx(1)
    assert told["eyes_r"] == pytest.approx(-1)
    assert told["tone_slope"] == pytest.approx(0.5)
    assert told["tone_rank"] == pytest.approx(1)
    assert drawn_faces.darkest_fifth(faces[::-1]) == [3]
    assert drawn_faces.summary([])["faces"] == 0


def test_openings_are_height_over_width():
    turns = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    mouth = np.stack([-10 * np.cos(turns), 4 * np.sin(turns)], axis=1)
    turns = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    eye = np.stack([-6 * np.cos(turns), 3 * np.sin(turns)], axis=1)
    opened, eyes = drawn_faces.openings({"mouth": mouth, "right_eye": eye, "left_eye": eye})
    assert opened == pytest.approx(0.4, abs=0.03)
    assert eyes == pytest.approx(0.5 * np.sin(3 / 8 * np.pi))


@pytest.fixture(scope="module")
def judge():
    with drawn_faces.FaceJudge() as judge:
        yield judge


def test_a_face_survives_a_grey_copy_not_a_blank_and_its_tone_is_measured(judge, portrait):
    seen = judge.faces(portrait)
    assert len(seen) == 1
    grey = np.repeat(cv2.cvtColor(portrait, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    (kept,) = judge.kept(seen, grey)
    assert kept.found
    assert kept.off < 0.06
    assert kept.mouth[1] == pytest.approx(kept.mouth[0], abs=0.1)
    assert kept.skin[1] == pytest.approx(kept.skin[0], abs=4)
    (darker,) = judge.kept(seen, portrait // 2)
    assert darker.skin[0] == kept.skin[0] > darker.skin[1] + 15
    (gone,) = judge.kept(seen, np.full_like(portrait, 230))
    assert not gone.found
    assert np.isnan(gone.off)
    assert judge.faces(np.full_like(portrait, 230)) == []


def parser(file, gain):
    """An ONNX file of the kind that is asked where skin is: wherever red is lighter than on average, times ``gain``."""
    onnx = pytest.importorskip("onnx")
    ends = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1, 3, 512, 512]) for n in ("x", "y")]
    factor = onnx.helper.make_tensor("gain", onnx.TensorProto.FLOAT, [1], [gain])
    nodes = [onnx.helper.make_node("Mul", ["x", "gain"], ["y"])]
    graph = onnx.helper.make_graph(nodes, "skin", ends[:1], ends[1:], [factor])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    file.write_bytes(model.SerializeToString())
    return file


def test_a_skin_parser_is_asked_and_one_that_is_none_is_refused(tmp_path, portrait, judge, monkeypatch):
    cheeks = judge.faces(portrait)[0].skin
    for gain, more in ((50.0, True), (0.0, False)):  # where it sees nothing, the cheeks are looked at
        monkeypatch.setattr(judge, "_parser", drawn_faces.SkinParser(parser(tmp_path / "x.onnx", gain)))
        skin = judge.faces(portrait)[0].skin
        assert (skin.sum() > 1.2 * cheeks.sum()) == more
        assert skin.max() <= 1
    (tmp_path / "none.onnx").write_bytes(b"no network")
    with pytest.raises(UsageError, match=r"none\.onnx cannot be used"):
        drawn_faces.SkinParser(tmp_path / "none.onnx")


@pytest.fixture
def weights(tmp_path):
    rng, arrays, before = np.random.default_rng(0), {}, 3
    for name in vgg.LAYERS:
        arrays[f"conv{name}.weight"] = rng.normal(0, 0.3, (4, before, 3, 3)).astype(np.float16)
        arrays[f"conv{name}.bias"] = np.zeros(4, np.float32)
        before = 4
    np.savez(tmp_path / "vgg.npz", **arrays)
    return tmp_path / "vgg.npz"


def test_vgg_tells_near_from_far(weights, portrait):
    net = vgg.Vgg(weights)
    sizes = [tuple(x.shape[1:]) for x in net(torch.zeros(1, 3, 64, 48))]
    assert sizes == [(4, 64, 48), (4, 32, 24), (4, 16, 12)]
    part = portrait[100:228, 200:328]
    same, near, far = (whole_pictures.vgg_distance(net, part, p) for p in (part, cv2.blur(part, (3, 3)), 255 - part))
    assert same == 0 < near < far
    weights.write_bytes(b"nothing")
    with pytest.raises(UsageError, match=r"weights .*vgg\.npz cannot be read"):
        vgg.Vgg(weights)


@pytest.fixture(scope="module")
def photos(tmp_path_factory, portrait):
    """Folders of photos: seven of the portrait, two of them held out."""
    folder = tmp_path_factory.mktemp("photos")
    for n in range(7):
        picture = cv2.resize(portrait, (288, 256 + 32 * (n % 2)))[:, :, ::-1]
        cv2.imwrite(str(folder / f"p{n}.png"), cv2.convertScaleAbs(picture, alpha=1 - n / 20))
    return folder


def test_held_out_photos_go_by_their_names(photos, tmp_path):
    held = whole_pictures.held_out([photos], "test", 0)
    assert 0 < len(held) < 7
    assert whole_pictures.held_out([photos], "test", 1) == held[:1]
    assert whole_pictures.held_out([photos, photos], "test", 0) == held + held
    (tmp_path / "p1.png").write_bytes(b"no picture")
    with pytest.raises(UsageError, match="none of the 1 photos is of the val split"):
        whole_pictures.held_out([tmp_path], "val", 0)
    with pytest.raises(UsageError, match="cannot be read as a picture"):
        whole_pictures.working(tmp_path / "p1.png", 720)


def test_photos_are_drawn_as_stills_are(portrait):
    picture = portrait[:256, :320]
    copied = whole_pictures.drawer(Copy(), 2)(picture)
    assert copied.shape == picture.shape
    soft = cv2.resize(cv2.resize(picture, (160, 128), interpolation=cv2.INTER_AREA), (320, 256))
    assert np.abs(copied.astype(int) - soft).mean() < 4


def test_a_copier_is_told_from_its_teacher(photos, judge, weights):
    held = whole_pictures.held_out([photos], "test", 2)
    draw = whole_pictures.drawer(Copy(), 2)
    found, rows = whole_pictures.figures(held, 240, draw, lambda x: x, judge, vgg=vgg.Vgg(weights))
    assert json.loads(json.dumps(found)).keys() == found.keys()
    assert found["clean"]["net"]["psnr"] > found["noise"]["net"]["psnr"] > 20
    assert found["dim"]["teacher"]["psnr"] < 15  # dims what it draws
    assert found["clean"]["net"]["vgg_distance"] > 0
    assert found["groups"]["everybody, by the teacher"]["landmark_error"] == 0
    assert found["groups"]["everybody"]["found_again"] == 1
    assert found["steadiness"]["teacher"]["change"] == pytest.approx(1)
    assert [row.shape for row in rows] == [(len(held), whole_pictures.SHOWN_PX, whole_pictures.SHOWN_PX, 3)] * 3
    table = whole_pictures.table(found)
    assert "| noise | net, against its own clean drawing |" in table
    assert "| darkest faces | 1 | 100.0 % |" in table


def test_the_kind_of_style_and_what_it_is_judged_on_must_fit(style_folder, photos, tmp_path, capsys):
    line = ["evaluate", "--style", str(style_folder()), "--out", str(tmp_path), "--photos", str(photos)]
    assert program.main(line) == 2
    assert "draws heads; give --crops or --pairs" in capsys.readouterr().err
    assert program.main([*line, "--crops", str(photos)]) == 2
    assert "one of them" in capsys.readouterr().err


def test_a_picture_style_folder_is_evaluated(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(teachers, "load", lambda name, **kind: (lambda x, *_: x) if (name, kind) == TAUGHT else None)
    style = picture_styles.write(tmp_path / "fake", lines=240)
    line = ["evaluate", "--style", str(style), "--photos", str(photos), "--limit", "1", "--out", str(tmp_path)]
    assert program.main(line) == 0
    assert "| clean | net |" in capsys.readouterr().out
    told = json.loads((tmp_path / "evaluation.json").read_text())
    assert told["photos"] == 1
    assert told["split"] == "test"
    assert cv2.imread(str(tmp_path / "evaluation.png")).shape == (
        3 * whole_pictures.SHOWN_PX,
        whole_pictures.SHOWN_PX,
        3,
    )


TAUGHT = ("fake", {"whole_picture": True})  # the teacher of the style's name
