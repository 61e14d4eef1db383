"""What the page says when something cannot be done: one readable line without a path of this machine."""

from __future__ import annotations

import functools
import inspect
import logging
import re
import traceback
from collections.abc import Callable, Iterator
from html import escape
from typing import Any, Final, TypeVar

import gradio as gr

from streamtoon.errors import StreamtoonError

# a word that starts with a slash (or a drive), holds another, and is no part of an address
LOCAL_PATH: Final = re.compile(r"(?<![\w:/.])(?:[A-Za-z]:)?(?:[/\\][\w.@+~%-]+)+[/\\]([\w.@+~%-]+)")
INTERNAL_FAULT: Final = "this is a fault of streamtoon, not yours: the server's log tells more"

log = logging.getLogger(__name__)
F = TypeVar("F", bound=Callable[..., Any])


def without_paths(text: str) -> str:
    """``text`` in one line, with every path of this machine cut down to its last part."""
    return LOCAL_PATH.sub(r"\1", " ".join(text.split()))


def reason(error: Exception) -> str:
    """What people are told of ``error``; what is no error of ours is logged with its traceback."""
    if isinstance(error, StreamtoonError):
        return without_paths(str(error))
    log.error("".join(traceback.format_exception(error)).rstrip())
    return INTERNAL_FAULT


def errors_as_notices(handler: F) -> F:
    """The handler, whose errors become notices on the page (``gr.Error``). Takes generators too."""
    if inspect.isgeneratorfunction(handler):

        @functools.wraps(handler)
        def steps(*args: Any) -> Iterator[Any]:
            try:
                yield from handler(*args)
            except gr.Error:
                raise
            except Exception as error:  # noqa: BLE001 - the page's edge, as cli.py is the command line's
                raise notice(reason(error)) from None

        return steps  # type: ignore[return-value]

    @functools.wraps(handler)
    def call(*args: Any) -> Any:
        try:
            return handler(*args)
        except gr.Error:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            raise notice(reason(error)) from None

    return call  # type: ignore[return-value]


def notice(text: str) -> gr.Error:
    """A notice to raise; the page reads it as HTML, so names in it are escaped."""
    return gr.Error(escape(text[:1].upper() + text[1:], quote=False), print_exception=False, duration=12)
