import hashlib
import shutil

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")

import torch

import engines.runtimes.openvino
from engines.compare import psnr
from foundation.errors import UsageError
from streamtoon import style_folder
from train import networks
from train.data import batches
from train.networks import munet
from train.style_folder import export, load_weights
from train.style_folder.deployed import Deployed


@pytest.fixture(scope="module")
def photos(portrait):
    """(8, 256, 256, 3) uint8: the portrait in eight lights."""
    face = cv2.resize(portrait, (256, 256), interpolation=cv2.INTER_AREA)
    return np.stack([cv2.convertScaleAbs(np.roll(face, 3 * n, axis=1), alpha=1 - n / 16) for n in range(8)])


@pytest.mark.parametrize("name", ["engraving", "wash"])
def test_an_adopted_style_draws_what_the_style_draws(name, photos):
    style = style_folder.load(name)
    weights = load_weights.weights(style.folder, batches.to_tensor(photos))
    net = networks.build("munet24", hatch=name != "wash")
    net.load_state_dict(weights)
    toml = export.Args(style.folder, style.folder, ink=(34, 38, 58) if name == "wash" else (0, 0, 0), paper=style.paper)
    with torch.no_grad():
        ours = Deployed(net, toml.ink, toml.paper)(torch.from_numpy(photos)).numpy()
    engine = engines.runtimes.openvino.load(style.onnx, precision="f32")
    assert psnr(ours, engine(photos)) > 60


def test_its_layers_see_the_scale_they_are_trained_at(photos):
    x = batches.to_tensor(photos)
    net = networks.build("munet24")
    net.load_state_dict(load_weights.weights(style_folder.load("engraving").folder, x))
    with torch.no_grad():
        deployed = net.eval()(x)
        learning = net.train()(x)  # statistics of the batch itself
    off = (munet.drawing(deployed) - munet.drawing(learning)).abs().mean()
    assert float(off) < 0.02, off


def test_its_drawing_starts_a_picture(photos):
    x = batches.to_tensor(photos)
    grey, rgb = networks.build("munet24").eval(), networks.build("munet24", heads=3).eval()
    grey.load_state_dict(load_weights.weights(style_folder.load("engraving").folder, x))
    rgb.load_state_dict(load_weights.weights(style_folder.load("engraving").folder, x, heads=3))
    with torch.no_grad():
        one, three = munet.drawing(grey(x)).clamp(0, 1), (munet.picture(rgb(x)) + 1) / 2
    assert float((three - one).abs().max()) < 0.05


def test_what_is_no_style_is_said_so(tmp_path, photos):
    x = batches.to_tensor(photos)
    with pytest.raises(UsageError, match="holds no ONNX file"):
        load_weights.start(tmp_path, x)
    file = tmp_path / "broken.onnx"
    file.write_bytes(b"no network")
    write_card(file)
    with pytest.raises(UsageError, match="cannot be read"):
        load_weights.start(tmp_path, x)
    export_other(file)
    write_card(file)
    with pytest.raises(UsageError, match="is of another net"):
        load_weights.start(tmp_path, x)


def test_the_card_s_network_is_taken_not_the_first_file(tmp_path, photos):
    """What lies beside it (an older export, a file of another name) is nobody's business."""
    folder = tmp_path / "style"
    shutil.copytree(style_folder.load("engraving").folder, folder)
    export_other(folder / "a_first_by_name.onnx")
    x = batches.to_tensor(photos)
    ours, theirs = (load_weights.weights(f, x) for f in (folder, style_folder.load("engraving").folder))
    assert all(torch.equal(v, theirs[k]) for k, v in ours.items())
    (folder / "engraving.onnx").write_bytes((folder / "a_first_by_name.onnx").read_bytes())
    with pytest.raises(UsageError, match="has sha256"):
        load_weights.start(folder, x)


def write_card(file):
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    (file.parent / "style.toml").write_text(f'name = "other"\nonnx = "{file.name}"\nsha256 = "{digest}"\n')


def export_other(file):
    """A style that is one convolution."""
    net = torch.nn.Conv2d(3, 8, 3)
    torch.onnx.export(net, (torch.zeros(1, 3, 16, 16),), str(file), dynamo=False)
