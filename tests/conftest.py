"""What several tests need: the portrait, a style folder that echo can draw with, the data beside the checkout."""

import hashlib
import os
import shutil
import signal
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import picture_styles
import pytest

from foundation.cores import available_cores
from streamtoon import style_folder as styles
from streamtoon.cli.main import main
from streamtoon.sources import portrait as source
from streamtoon.types import Frame

DATA = Path(__file__).parent.parent.parent / "shared" / "data"

# torch here and in programs started here: small networks learn no quicker with more, on a busy machine far slower
os.environ.setdefault("OMP_NUM_THREADS", str(min(2, available_cores())))

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started with & in a script; programs started here inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def refused(tmp_path, monkeypatch, capfd):
    """Makes a call that is refused in one line and leaves nothing: ``refused(*words)`` gives exit code and line."""

    def call(*words):
        monkeypatch.chdir(tmp_path)
        try:
            code = main(words)
        except SystemExit as stop:  # argparse's
            code = stop.code
        said = capfd.readouterr().err
        assert said.count("\n") == 1
        assert list(tmp_path.iterdir()) == []
        return code, said

    return call


@pytest.fixture(scope="session")
def portrait():
    """NASA's portrait, (512, 512, 3) uint8 RGB."""
    return source.picture()


@pytest.fixture(scope="session")
def moved():
    """Twelve frames of the moving portrait, 640x360, yuv420p."""
    return list(source.read("portrait:12@640x360"))


@pytest.fixture
def data():
    """The data folder beside the checkout; the test is skipped where it is missing."""
    if not DATA.is_dir():
        pytest.skip(f"{DATA} is not on this machine")
    return DATA


@pytest.fixture
def style_folder(tmp_path):
    """Makes a style folder: ``style_folder(**changes)`` writes style.toml and a file that echo never reads."""

    def make(**changes):
        folder = tmp_path / "plain"
        folder.mkdir(exist_ok=True)
        (folder / "plain.onnx").write_bytes(b"not read by echo")
        card = {"name": "plain", "onnx": "plain.onnx", "sha256": hashlib.sha256(b"not read by echo").hexdigest()}
        card.update(changes)
        lines = [f"{key} = {_toml(value)}" for key, value in card.items() if value is not None]
        (folder / "style.toml").write_text("\n".join(lines), encoding="utf-8")
        return folder

    return make


@pytest.fixture(scope="session")
def picture_style(tmp_path_factory):
    """A picture style that draws: see picture_styles.write."""
    return styles.load(str(picture_styles.write(tmp_path_factory.mktemp("picture") / "fake")))


@pytest.fixture
def style(style_folder):
    """A style that a scripted engine draws in."""
    return styles.load(str(style_folder()))


def _toml(value):
    return f'"{value}"' if isinstance(value, str) else str(value)


@pytest.fixture
def still():
    """Makes an rgb24 frame of a photograph: ``still(image, index=0)``."""

    def make(image, index=0):
        return Frame((np.ascontiguousarray(image),), "rgb24", index, Fraction(index, 30), still=True)

    return make


@pytest.fixture(scope="session")
def moved_film(tmp_path_factory):
    """The moving portrait as a film: 24 frames of 640x360."""
    from streamtoon import sinks
    from streamtoon.privacy.guard import Guard

    path = tmp_path_factory.mktemp("film") / "portrait.mp4"
    guard = Guard(private=False)
    with sinks.open(str(path), sinks.Options(rate=Fraction(30))) as send:
        for frame in source.read("portrait:24@640x360"):
            send(guard(frame, None, 0))
    return path


@pytest.fixture(scope="module")
def screen():
    """The DISPLAY of a screen of its own; the test is skipped where there is no Xvfb."""
    for tool in ("Xvfb", "xdotool"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed: no screen to open a window on")
    told, tells = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(tells), "-screen", "0", "800x600x24", "-nolisten", "tcp", "-noreset"],
        pass_fds=[tells], stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(tells)
    with os.fdopen(told) as pipe:
        number = pipe.readline().strip()
    try:
        yield f":{number}"
    finally:
        server.kill()
        server.wait()
