"""Every example does what its first line says."""

import os
import subprocess
import sys
from pathlib import Path

import av
from PIL import Image

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


def example(name, *arguments, **options):
    command = [sys.executable, name if name == "-c" else str(EXAMPLES / name), *map(str, arguments)]
    path = os.pathsep.join([str(EXAMPLES.parent), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path} | options.pop("env", {})
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env=environment, **options)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_every_example_is_run_here():
    assert {p.name for p in EXAMPLES.glob("*.py")} == {"photo.py", "film.py", "camera.py"}


def test_photo(tmp_path, portrait):
    assert "drawn.png: 512x512" in example("photo.py", cwd=tmp_path)
    Image.fromarray(portrait[:, 64:448]).save(tmp_path / "me.jpg")
    assert "384x512" in example("photo.py", "me.jpg", "out.webp", cwd=tmp_path)
    with Image.open(tmp_path / "out.webp") as picture:
        assert picture.getpixel((2, 2)) > (250, 250, 250)  # paper


def test_film(tmp_path):
    said = example("film.py", "portrait:30@320x180", "out.mp4", cwd=tmp_path)
    assert "out.mp4: 30 frames, " in said
    with av.open(str(tmp_path / "out.mp4")) as film:
        assert sum(1 for _ in film.decode(video=0)) == 30


def test_camera(screen, tmp_path):
    assert "20 frames, the last one drawn" in example("camera.py", "portrait:20", cwd=tmp_path, env={"DISPLAY": screen})


WITHOUT_SCREEN = """
import runpy, sys, cv2
shown = []
cv2.imshow = lambda title, picture: shown.append(picture)
cv2.waitKey = lambda ms: ord("q") if len(shown) == 12 else -1
cv2.destroyAllWindows = lambda: None
runpy.run_path(sys.argv.pop(1), run_name="__main__")
print(len(shown), {p.shape for p in shown}, int((shown[-1][:40, :40] > 250).mean() * 100))
"""


def test_camera_without_a_screen(tmp_path):
    said = example("-c", WITHOUT_SCREEN, EXAMPLES / "camera.py", cwd=tmp_path)
    assert "12 frames, the last one drawn" in said  # q ended it
    assert "12 {(512, 512, 3)} 100" in said  # paper around the drawing: the room does not show
