"""What a command prints beside its result: bare log lines while it runs, and nothing of ours before or after."""

import logging

import pytest

from streamtoon.cli import console, main
from streamtoon.workflows.convert import Progress

LOG = logging.getLogger("streamtoon.workflows.live")


def test_packages_are_heard_while_a_command_runs_and_not_after(capsys):
    LOG.info("before")
    with console.shown():
        LOG.info("style %s", "wash")
        logging.getLogger("trt_build.plan").warning("compiled")
        LOG.debug("too small")
        logging.getLogger("asyncio").info("not ours")
    LOG.info("after")
    assert capsys.readouterr().err == "style wash\ncompiled\n"
    assert not LOG.isEnabledFor(logging.INFO)


def test_only_the_named_loggers(capsys):
    with console.shown(*main.LOGGERS["web"]):
        LOG.info("told on the page")
        logging.getLogger("streamtoon.web.serve").info("streamtoon is at http://127.0.0.1")
    assert capsys.readouterr().err == "streamtoon is at http://127.0.0.1\n"


def test_each_line_once(capsys):
    with console.shown():
        with console.each_line_once():
            for _ in range(3):
                LOG.info("openvino draws")
                LOG.info("on %s", "CPU")
        LOG.info("openvino draws")
    assert capsys.readouterr().err == "openvino draws\non CPU\nopenvino draws\n"


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (Progress(30, 120, 10.0, 9.0), "30/120 frames, 10.0 fps, 0:09 left"),
        (Progress(30, None, 10.0, None), "30 frames, 10.0 fps"),
        (Progress(1, 90_000, 2.5, 36_123.4), "1/90000 frames, 2.5 fps, 10:02:03 left"),
    ],
)
def test_progress_on_a_terminal_is_one_line(capsys, monkeypatch, progress, line):
    shown = console.FilmProgress()
    shown(progress)
    shown.close()
    assert capsys.readouterr().err == ""  # a pipe
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    shown(progress)
    shown.close()
    assert capsys.readouterr().err == f"\r{line}\x1b[K\r\x1b[K"
