"""The preview's keys, pressed by a scripted window."""

import threading
from types import SimpleNamespace

import pytest

from streamtoon import style_folder
from streamtoon.errors import UsageError
from streamtoon.workflows.live_preview import LivePreview


class Window:
    """Gives one key after each picture it is shown, then "quit"."""

    def __init__(self, *keys):
        self.keys, self.shown = [*keys, "quit"], []

    def show(self, drawn, lines, safe, *, mirror):
        self.shown.append((drawn.state, lines, safe, mirror))

    def key(self):
        return self.keys.pop(0)


class Live:
    dropped, engine = 3, "ink, none"

    def __init__(self):
        self.passthrough, self.held, self.toons = False, [], []

    def rate(self):
        return 29.96

    def latency(self):
        return 0.0421

    def switch(self, toon):
        self.toons.append(toon)


@pytest.fixture
def gate():
    state = SimpleNamespace(state="drawn")
    return SimpleNamespace(paused=False, taken=[], take=lambda seen, _seconds: (seen + 1, state), picture=state)


def run(gate, *keys, style="engraving", ended=None, **options):
    window, live = Window(*keys), Live()
    preview = LivePreview(window, live, gate, style, lambda name: f"toon of {name}", mirror=True, **options)
    preview.run(ended or threading.Event())
    return window, live


def test_it_shows_what_leaves_and_how_it_goes(gate):
    window, _ = run(gate, None)
    assert window.shown == [("drawn", ["30.0 fps", "42 ms", "3 dropped", "ink, none"], True, True)] * 2
    gate.picture.state = "passthrough"
    window, _ = run(gate)
    assert window.shown[0][2] is False


def test_the_mirror_is_the_previews_alone(gate):
    window, live = run(gate, "mirror", None, "mirror", None)
    assert [mirror for *_, mirror in window.shown] == [True, False, False, True, True]
    assert live.toons == []


def test_the_card_stays_until_it_is_asked_for_again(gate):
    run(gate, "card")
    assert gate.paused
    run(gate, "card", "card", "card")
    assert not gate.paused


@pytest.mark.parametrize(
    ("style", "following"),
    [("engraving", ["line", "wash"]), ("wash", ["comic", "engraving"]), ("mine", ["comic", "engraving"])],
)
def test_next_goes_through_the_shipped_styles(gate, caplog, style, following):
    caplog.set_level("INFO", "streamtoon.workflows.live_preview")
    _, live = run(gate, "next", "next", style=style)
    assert live.toons == [f"toon of {name}" for name in following]
    assert caplog.messages == [f"style {name}" for name in following]


def test_a_style_that_cannot_draw_what_was_asked_for_is_passed_over(gate, caplog):
    def make(name):
        if name == "wash":
            raise UsageError("wash draws heads")
        return f"toon of {name}"

    window, live = Window("next", "next"), Live()
    LivePreview(window, live, gate, style_folder.names()[-2], make, mirror=False).run(threading.Event())
    assert caplog.messages == ["wash draws heads"]
    assert live.toons == [f"toon of {style_folder.names()[0]}"]


def test_passthrough_lasts_as_long_as_its_key_is_held(gate):
    window, live = Window("passthrough-held", None), Live()
    seen = []
    window.key = lambda: seen.append(live.passthrough) or window.keys.pop(0)
    LivePreview(window, live, gate, "engraving", str, mirror=False).run(threading.Event())
    assert seen == [False, True, False]
    assert not live.passthrough


def test_the_loops_end_ends_it(gate):
    ended = threading.Event()
    ended.set()
    window, _ = run(gate, ended=ended)
    assert window.shown == []
