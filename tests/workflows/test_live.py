"""The live loop: what it sends when, to whom, and how it ends. What may leave at all is test_guard.py's."""

import itertools
import time

import pytest
from calls import CLIP, FPS, Ink, Recorder, check, paced, run, shows_the_camera, states, subsequence

from streamtoon.pipeline.toon import Toon
from streamtoon.privacy.output_gate import OutputGate
from streamtoon.workflows.live import Live


def test_all_well(style):
    pictures, live = run(style, paced(CLIP[:60]))
    check(pictures)
    assert states(pictures)[:2] == ["card", "drawn"]
    assert live.new > 5
    assert len(live.latencies) > 5
    assert live.said == []


def test_pausing_shows_the_card(style):
    def pause(live):
        time.sleep(0.8)
        live._safe.paused = True

    pictures, _ = run(style, paced(CLIP[:50]), during=pause)
    check(pictures)
    assert subsequence(["card", "drawn", "card"], states(pictures))


def test_a_sink_that_fails_ends_the_loop(style):
    class Full(Recorder):
        def __enter__(self):
            def send(_drawn):
                raise OSError("disk full")

            return send

    live = Live(paced(CLIP), Toon(style, Ink(), private=True), OutputGate(CLIP[0], style.paper), [Full()], fps=FPS)
    with pytest.raises(OSError, match="disk full"):
        live.run()


def test_stop_ends_it_soon(style):
    def stop(live):
        time.sleep(0.5)
        live.stop()

    began = time.monotonic()
    run(style, paced(itertools.cycle(CLIP)), during=stop)
    assert time.monotonic() - began < 10


def test_the_order_is_kept(style):
    pictures, _ = run(style, paced(CLIP[:60]))
    order = [p.index for p in pictures if p.state == "drawn"]
    assert order == sorted(order)


def test_a_picture_leaves_undrawn_only_while_somebody_says_so(style):
    def hold(live):
        time.sleep(0.8)
        live.passthrough = True
        time.sleep(0.4)
        live.passthrough = False

    pictures, _ = run(style, paced(CLIP[:75]), during=hold)
    assert subsequence(["card", "drawn", "passthrough", "drawn"], states(pictures))
    check([p for p in pictures if p.state != "passthrough"])
    assert all(shows_the_camera(p.planes[0]) for p in pictures if p.state == "passthrough")


def test_a_slow_sink_holds_up_no_other(style):
    class Slow(Recorder):
        def __enter__(self):
            send = super().__enter__()

            def slowly(drawn):
                time.sleep(0.3)
                send(drawn)

            return slowly

    fast, slow = Recorder(), Slow()
    Live(
        paced(CLIP[:60]), Toon(style, Ink(), private=True), OutputGate(CLIP[0], style.paper), [slow, fast], fps=FPS
    ).run()
    check([p for _, p in fast.sent])
    check([p for _, p in slow.sent])
    assert len(slow.sent) < 0.6 * len(fast.sent)
    # what it sends is the newest: never further behind than it takes itself
    assert slow.sent[-1][1].index >= 40


def test_a_preview_alone_is_told_its_rate(style):
    live = Live(paced(CLIP[:40]), Toon(style, Ink(), private=True), OutputGate(CLIP[0], style.paper), [], fps=FPS)
    live.run()
    assert live.rate() > 0
    assert live.latency() > 0
