"""What ``streamtoon web`` was started with, and what somebody chose on the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from streamtoon.errors import UsageError
from streamtoon.types import Background, Region, one_of

MEGABYTE: Final = 1_000_000
LOOPBACK_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Settings:
    """What ``streamtoon web`` was asked for.

    host          address that is listened on; with a loopback address media stay on loopback too
    auth          user and password, None where anybody may come in
    max_sessions  people who may be live at the same time
    max_upload    bytes of one uploaded file
    max_minutes   of a film
    ice           addresses of STUN and TURN servers; none is needed on one machine or in one network
    share         whether the page is published through Gradio's tunnel
    engine        what draws: "auto" or an engine's name, with or without an option
    threads       CPU threads that one person's drawing may use
    """

    host: str = "127.0.0.1"
    port: int = 7860
    auth: tuple[str, str] | None = None
    max_sessions: int = 4
    max_upload: int = 500 * MEGABYTE
    max_minutes: float = 10.0
    ice: tuple[str, ...] = ()
    share: bool = False
    engine: str = "auto"
    threads: int = 2

    @property
    def local(self) -> bool:
        """Whether only this machine can reach the page."""
        return self.host in LOOPBACK_HOSTS and not self.share


@dataclass(frozen=True, slots=True)
class Choice:
    """How somebody on the page wants to be drawn. Raises UsageError for a region or background that does not exist.

    style  a name or a folder
    """

    style: str
    region: Region
    background: Background

    def __post_init__(self) -> None:
        try:
            one_of("region", self.region, Region)
            one_of("background", self.background, Background)
        except ValueError as error:
            raise UsageError(str(error)) from None
