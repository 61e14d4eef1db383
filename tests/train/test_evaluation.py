"""Figures that must tell good from bad: each is shown something known."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")

import torch

from foundation.errors import UsageError
from train import __main__ as program
from train.data import face_contours
from train.evaluation import diagnose, face_preservation, fsim, people

STYLE = Path(__file__).parent.parent.parent / "streamtoon" / "styles" / "engraving"


def luma(picture):
    return torch.from_numpy(np.asarray(picture, np.float32) / 255)[None, None]


@pytest.fixture(scope="module")
def grey(request):
    return cv2.cvtColor(request.getfixturevalue("portrait"), cv2.COLOR_RGB2GRAY)[:256, 100:356]


def test_fsim_of_itself_is_one_and_falls_with_blur(grey):
    same, little, much = (
        float(fsim.fsim(luma(grey), luma(p)))
        for p in (grey, cv2.GaussianBlur(grey, (0, 0), 1), cv2.GaussianBlur(grey, (0, 0), 4))
    )
    assert same == pytest.approx(1, abs=1e-6)
    assert 1 > little > much > 0.3
    assert float(fsim.fsim(luma(grey), luma(cv2.GaussianBlur(grey, (0, 0), 4)))) == pytest.approx(
        float(fsim.fsim(luma(cv2.GaussianBlur(grey, (0, 0), 4)), luma(grey))), abs=1e-6
    )


def test_fsim_follows_its_definition_where_it_can_be_computed_by_hand():
    """Two ramps: no phase structure differs, the gradient is constant, so equation 6 is all that is left."""
    rows = np.tile(np.arange(64, dtype=np.float64), (64, 1))
    one, two = torch.from_numpy(rows)[None, None], torch.from_numpy(3 * rows)[None, None]
    inside = (slice(None), slice(None), slice(2, -2), slice(2, -2))
    assert fsim.gradient(one)[inside].unique().tolist() == pytest.approx([2.0])  # (3 + 10 + 3) / 16 over two px
    assert fsim.gradient(two)[inside].mean().item() == pytest.approx(6.0)


def test_phase_congruency_is_at_the_edge_whatever_its_contrast():
    pictures = []
    for low, high in ((0, 255), (110, 150)):
        picture = np.full((64, 64), low, np.float64)
        picture[:, 32:] = high
        pictures.append(fsim.phase_congruency(torch.from_numpy(picture)[None, None])[0, 0, 32].numpy())
    strong, weak = pictures
    assert strong[16:48].argmax() in {15, 16}
    assert strong[31] > 0.7
    assert weak[31] == pytest.approx(strong[31], abs=0.02)
    assert strong[21:28].max() < 0.4


def test_filters_are_the_papers():
    radial, angular = fsim.filters(64, 64)
    assert radial[:, 0, 0].tolist() == [0, 0, 0, 0]
    peaks = [1 / 6, 1 / 12, 1 / 24, 1 / 48]
    frequencies = torch.fft.fftfreq(64)[:32]
    for bank, peak in zip(radial, peaks, strict=True):
        assert abs(float(frequencies[bank[0, :32].argmax()]) - peak) <= 1 / 64
    assert float(angular[0, 0, 5]) == pytest.approx(1)
    assert float(angular[2, 5, 0]) < 1e-4  # rows count downwards
    assert float(angular[2, -5, 0]) == pytest.approx(1)
    assert float(angular[1, 0, 5]) == pytest.approx(np.exp(-((np.pi / 4) ** 2) / (2 * 0.6545**2)), rel=1e-3)


def by_the_book(picture):
    """Phase congruency term by term, loops and all, the noise from the filters' own impulse responses."""
    h, w = picture.shape
    fy, fx = np.meshgrid(np.fft.fftfreq(h), np.fft.fftfreq(w), indexing="ij")
    radius, theta = np.hypot(fx, fy), np.arctan2(-fy, fx)
    radius[0, 0] = 1
    energy, amplitude = np.zeros((h, w)), np.zeros((h, w))
    for o in range(4):
        angle = np.abs(np.arctan2(np.sin(theta - o * np.pi / 4), np.cos(theta - o * np.pi / 4)))
        answers, impulses = [], []
        for s in range(4):
            bank = np.exp(-(np.log(radius * 6 * 2**s) ** 2) / (2 * np.log(0.55) ** 2)) / (1 + (radius / 0.45) ** 30)
            bank[0, 0] = 0
            bank *= np.exp(-(angle**2) / (2 * (np.pi / 4 / 1.2) ** 2))
            answers.append(np.fft.ifft2(np.fft.fft2(picture) * bank))
            impulses.append(np.fft.ifft2(bank).real * np.sqrt(h * w))
            if s == 0:
                power = -np.median(np.abs(answers[0]) ** 2) / np.log(0.5) / (bank**2).sum()
        squares = sum((i**2).sum() for i in impulses)
        products = sum((impulses[i] * impulses[j]).sum() for i in range(4) for j in range(i + 1, 4))
        tau = np.sqrt((2 * power * squares + 4 * power * products) / 2)
        even, odd = sum(a.real for a in answers), sum(a.imag for a in answers)
        size = np.hypot(even, odd) + 1e-4
        local = sum(
            (a.real * even + a.imag * odd) / size - np.abs(a.real * odd - a.imag * even) / size for a in answers
        )
        energy += np.maximum(local - (tau * np.sqrt(np.pi / 2) + 2 * np.sqrt((2 - np.pi / 2) * tau**2)) / 1.7, 0)
        amplitude += sum(np.abs(a) for a in answers)
    return energy / amplitude


def test_fsim_agrees_with_the_definition(grey):
    """Golden values: both papers' equations worked out slowly, in numpy."""
    one = cv2.resize(grey, (48, 40), interpolation=cv2.INTER_AREA).astype(np.float64)
    two = cv2.GaussianBlur(one, (0, 0), 1.2)
    maps, slopes = [], []
    for picture in (one, two):
        maps.append(by_the_book(picture))
        got = fsim.phase_congruency(torch.from_numpy(picture)[None, None])[0, 0].numpy()
        assert np.abs(got - maps[-1]).max() < 2e-3
        dx, dy = (
            cv2.filter2D(picture, -1, k, borderType=cv2.BORDER_REPLICATE)
            for k in (np.array(fsim.SCHARR_KERNEL) / 16, np.array(fsim.SCHARR_KERNEL).T / 16)
        )
        slopes.append(np.hypot(dx, dy))
    (p, q), (g, k) = maps, slopes
    alike = (2 * p * q + 0.85) / (p**2 + q**2 + 0.85) * (2 * g * k + 160) / (g**2 + k**2 + 160)
    golden = (alike * np.maximum(p, q)).sum() / np.maximum(p, q).sum()
    assert 0.5 < golden < 0.95
    assert float(fsim.fsim(luma(one), luma(two))) == pytest.approx(golden, abs=1e-4)


def test_edges_count_with_a_little_tolerance():
    a = np.full((64, 64), 255, np.uint8)
    cv2.line(a, (10, 10), (50, 40), 0, 2)
    assert face_preservation.edge_f1(a, a) == 1
    assert face_preservation.edge_f1(a, np.roll(a, 1, axis=1)) > 0.95
    assert face_preservation.edge_f1(a, np.roll(a, 12, axis=1)) < 0.3
    assert face_preservation.edge_f1(a, np.full_like(a, 255)) == 0


@pytest.fixture(scope="module")
def face(request):
    """The portrait's crop and its contours."""
    from fractions import Fraction

    from streamtoon.pipeline import crop
    from streamtoon.pipeline.find import Finder
    from streamtoon.pipeline.landmarks import Landmarks
    from streamtoon.types import Frame

    frame = Frame((request.getfixturevalue("portrait"),), "rgb24", 0, Fraction(0))
    with Finder() as finder:
        image = crop.crop(frame, crop.square(finder(frame)[0], 2.2, 256), 256).image
    return image, face_contours.contours(Landmarks(), image, 2.2)


def test_landmarks_survive_a_grey_copy_but_not_a_blank(face):
    image, _ = face
    grey = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    kept = face_preservation.landmark_agreement([image], grey[None], 2.2)
    assert kept["landmarks_found"] == 1
    assert kept["landmark_error"] < 0.06
    wider = cv2.warpAffine(image, np.array([[1, 0, 8.0], [0, 1, 0]]), (256, 256))
    assert (
        face_preservation.landmark_agreement([image], wider[None], 2.2)["landmark_error"]
        > kept["landmark_error"] + 0.05
    )


def test_a_drawn_beard_is_noticed(face):
    image, found = face
    chin, cheeks = face_preservation.chin_and_cheeks(image.shape[:2], found)
    assert chin.sum() > 500
    assert cheeks.sum() > 500
    assert not face_preservation.bearded(image, image, found)
    assert not face_preservation.bearded(image, image // 2, found)  # darker all over is no beard
    with_beard = (image * (1 - 0.6 * chin[..., None])).astype(np.uint8)
    assert face_preservation.bearded(image, with_beard, found)


def test_flicker_is_zero_for_what_moves_along(face):
    image, _ = face
    screen = np.indices((256, 256)).sum(axis=0)[None, :, :, None] % 2 * 255

    def fixed(x):
        return np.where(x > screen, 255, 0).astype(np.uint8)

    assert face_preservation.flicker(lambda x: x, [image]) == 0
    assert face_preservation.flicker(lambda x: 255 - x, [image]) < 0.5
    assert face_preservation.flicker(fixed, [image]) > 20


@pytest.fixture
def paired_folder(folders, tmp_path):
    for part in ("photos", "sketches"):
        (tmp_path / part).mkdir()
        for n in range(3):
            picture = cv2.imread(str(folders / "photos" / f"{n}.png"))
            cv2.imwrite(str(tmp_path / part / f"{n}.png"), picture if part == "photos" else 255 - picture)
    return tmp_path


def test_a_style_is_compared_with_pairs(paired_folder, capsys):
    line = ["evaluate", "--style", str(STYLE), "--pairs", str(paired_folder), "--size", "200x250", "--json"]
    assert program.main(line) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["pairs"] == 3
    assert 0 < told["fsim"] < 1
    assert {"psnr", "ssim", "ms_ssim", "edge_f1", "random_distance", "random_fid", "random_kid"} <= told.keys()


def test_the_card_s_network_is_evaluated_not_the_first_file(paired_folder, tmp_path, capsys):
    line = ["evaluate", "--pairs", str(paired_folder), "--size", "64x64", "--json", "--style"]
    folder = tmp_path / "style"
    shutil.copytree(STYLE, folder)
    (folder / "a_first_by_name.onnx").write_bytes(b"no network")
    assert program.main([*line, str(folder)]) == 0
    beside = json.loads(capsys.readouterr().out)
    assert program.main([*line, str(STYLE)]) == 0
    assert json.loads(capsys.readouterr().out) == beside


@pytest.mark.parametrize(
    ("ink", "paper"), [((0, 0, 0), (255, 255, 255)), ((255, 0, 0), (255, 255, 255)), ((255, 255, 255), (255, 0, 20))]
)
def test_ink_and_paper_of_any_colour_are_told_apart(ink, paper):
    """Red ink on white paper differs from it in green and blue alone."""
    unit = np.array([0, 0.2, 1.0])[:, None]
    drawn = np.uint8(np.round(unit * paper + (1 - unit) * ink))
    rgba = np.concatenate([drawn, np.full((3, 1), 255, np.uint8)], axis=1)[None, None]
    assert people.grey_of(rgba, ink, paper)[0, 0] == pytest.approx([0, 51, 255], abs=1)


def test_ink_of_the_paper_s_colour_is_refused():
    with pytest.raises(UsageError, match=r"both \(255, 255, 255\)"):
        people.grey_of(np.zeros((1, 2, 2, 4), np.uint8), (255, 255, 255), (255, 255, 255))


def test_pairs_that_do_not_match_are_named(paired_folder, capsys):
    line = ["evaluate", "--style", str(STYLE), "--pairs", str(paired_folder)]
    (paired_folder / "sketches" / "2.png").rename(paired_folder / "sketches" / "7.png")
    assert program.main(line) == 2
    assert "2 pictures without a partner (2, 7)" in capsys.readouterr().err
    cv2.imwrite(str(paired_folder / "sketches" / "2.png"), np.zeros((9, 9, 3), np.uint8))
    (paired_folder / "sketches" / "7.png").unlink()
    assert program.main(line) == 2
    assert "pair 2 in" in capsys.readouterr().err
    assert program.main([*line, "--size", "big"]) == 2
    assert "--size is 'big'" in capsys.readouterr().err


def test_diagnose_needs_a_history(tmp_path):
    with pytest.raises(UsageError, match="is not there"):
        diagnose.diagnose(diagnose.Args(tmp_path))
    (tmp_path / "history.json").write_text("[]")
    with pytest.raises(UsageError, match="holds no history"):
        diagnose.diagnose(diagnose.Args(tmp_path))
