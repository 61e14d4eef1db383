"""convert as a whole: the toon's stages, progress, summary, and every kind of input and output."""

import time
from fractions import Fraction

import films
import pytest
from films import QUARTER_TURN as QUARTER
from films import run
from PIL import Image

from streamtoon.errors import UsageError
from streamtoon.pipeline.timings import Meter
from streamtoon.privacy.guard import Guard
from streamtoon.sources import images
from streamtoon.workflows.convert import Options, convert


class Staged:
    """A toon with stages, as the real one."""

    def __init__(self):
        self.order = []

    @property
    def stages(self):
        return (self.see, self.draw)

    def see(self, frame):
        self.order.append(("see", frame.index))
        return frame

    def draw(self, frame):
        self.order.append(("draw", frame.index))
        return films.square(frame)


@pytest.mark.parametrize("compare", [False, True])
def test_the_stages_of_a_toon_are_called_in_order(tmp_path, compare):
    toon, meter = Staged(), Meter()
    options = Options(str(films.film(tmp_path / "a.mp4")), str(tmp_path / "out.mp4"), compare=compare)
    summary = convert(options, lambda: toon, meter=meter)
    assert [i for half, i in toon.order if half == "see"] == list(range(12))
    assert [i for half, i in toon.order if half == "draw"] == list(range(12))
    assert summary.faces == 12
    assert {"read", "write"} <= set(meter.medians())


def test_progress_is_told(tmp_path):
    told = []

    def slowly(frame):
        time.sleep(0.05)
        return films.keep(frame)

    source = films.film(tmp_path / "a.mp4")
    convert(Options(str(source), str(tmp_path / "out.mp4")), lambda: slowly, told.append)
    assert told
    assert all(0 < p.frames <= 12 and p.total == 12 and p.fps > 0 and p.seconds_left >= 0 for p in told)
    assert told == sorted(told, key=lambda p: p.frames)


def test_the_summary_counts(tmp_path):
    private = Guard(private=True)

    def toon(frame):
        return private(frame, frame.planes if frame.index == 1 else None, 3 if frame.index == 1 else 0)

    summary = run(films.film(tmp_path / "a.mp4"), tmp_path / "out.mp4", toon)
    assert summary.frames == 12
    assert summary.states == {"card": 1, "drawn": 1, "held": 10}
    assert summary.fps > 0


def test_pictures_become_pictures(tmp_path):
    Image.new("RGB", (20, 16), (1, 2, 3)).save(tmp_path / "a.png")
    run(tmp_path / "a.png", tmp_path / "b.png")
    assert (images.load(tmp_path / "b.png") == (1, 2, 3)).all()
    (tmp_path / "in").mkdir()
    for n in range(3):
        Image.new("RGB", (20, 16), (n, 2, 3)).save(tmp_path / "in" / f"{n}.png")
    (tmp_path / "in" / "3.png").write_bytes(b"broken")
    summary = run(tmp_path / "in", tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["0.png", "1.png", "2.png"]
    assert summary.damaged == "1 of 4 pictures are left out, the first is 3.png"


def test_films_become_folders_and_folders_films(tmp_path):
    source = films.film(tmp_path / "a.mp4", matrix=QUARTER)
    run(source, tmp_path / "frames")
    assert len(list((tmp_path / "frames").iterdir())) == 12
    assert images.load(tmp_path / "frames" / "000000.png").shape == (64, 48, 3)  # upright
    run(tmp_path / "frames", tmp_path / "out.mp4")
    assert films.times(tmp_path / "out.mp4") == [Fraction(i, 25) for i in range(12)]


def test_the_portrait_is_a_film(tmp_path):
    summary = run("portrait:3@64x48", tmp_path / "out.mp4")
    assert summary.frames == 3
    assert films.times(tmp_path / "out.mp4") == [Fraction(i, 30) for i in range(3)]
    with pytest.raises(UsageError, match="name one, such as out"):
        run("portrait:3@64x48", tmp_path / "frames/")
