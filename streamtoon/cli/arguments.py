"""Flags as data: the parser is built from them, and the configuration file is read and written by them."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, NoReturn, Protocol

from foundation.cores import available_cores
from foundation.registry import Registry
from streamtoon.version import __version__

REGIONS: Final = ("face", "head", "person", "frame")
BACKGROUNDS: Final = ("keep", "paper", "blur", "draw")

Kind = Literal["value", "list", "switch", "yes-no", "positional"]


@dataclass(frozen=True, slots=True)
class Flag:
    """One argument of a command.

    name      without dashes: "on-no-face" is --on-no-face, the key on-no-face, and ``on_no_face`` once parsed
    kind      value: takes one; list: may be given several times; switch: takes none, off unless it is given;
              yes-no: --name or --no-name; positional: has no dashes and is no key
    parse     text -> value; raises argparse.ArgumentTypeError or ValueError. None leaves the text as it is
    write     value -> the text that ``parse`` makes it of, where that is not what ``str`` gives
    setting   whether the configuration file may have it
    """

    name: str
    help: str
    kind: Kind = "value"
    short: str | None = None
    default: Any = None
    parse: Callable[[str], Any] | None = None
    write: Callable[[Any], str] | None = None
    choices: tuple[str, ...] | None = None
    required: bool = False
    metavar: str | None = None
    setting: bool = True

    @property
    def key(self) -> str:
        """Its attribute once parsed."""
        return self.name.replace("-", "_")

    def add_to(self, parser: argparse.ArgumentParser) -> None:
        """Let ``parser`` take it."""
        default = bool(self.default) if self.kind == "switch" else self.default
        options: dict[str, Any] = {"help": self.help, "default": default}
        if self.kind in ("value", "list", "positional"):
            options |= {"type": self.parse, "choices": self.choices, "metavar": self.metavar}
        if self.kind == "positional":
            parser.add_argument(self.name, nargs=None if self.required else "?", **options)
            return
        actions: dict[str, Any] = {
            "list": "append",
            "switch": "store_true",
            "yes-no": argparse.BooleanOptionalAction,
        }
        names = [f"-{self.short}"] if self.short else []
        options |= {"action": actions.get(self.kind, "store"), "required": self.required, "dest": self.key}
        parser.add_argument(*names, f"--{self.name}", **options)


class Command(Protocol):
    """A command's module: ``streamtoon.cli.convert`` and its kin. Importing it imports nothing heavy."""

    @property
    def NAME(self) -> str: ...  # noqa: D102, N802 - constants of a module

    @property
    def HELP(self) -> str: ...  # noqa: D102, N802

    @property
    def FLAGS(self) -> tuple[Flag, ...]: ...  # noqa: D102, N802

    def run(self, args: argparse.Namespace) -> int:
        """Do it; the exit code."""
        ...


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, as every other error."""
        self.exit(2, f"error: {message}; {self.prog} --help tells the flags\n")


def parser(commands: Sequence[Command], command: str = "", settings: dict[str, Any] | None = None) -> _Parser:
    """The parser of all commands; ``settings`` (name -> value) are the defaults of ``command``'s flags.

    A list's setting is left out: argparse would add the flags to it instead of replacing it.
    """
    root = _Parser(prog="streamtoon", description="The same picture, with the people in it drawn.")
    root.add_argument("--version", action="version", version=f"streamtoon {__version__}")
    subparsers = root.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for each in commands:
        sub = subparsers.add_parser(each.NAME, help=each.HELP, description=f"{each.HELP[0].upper()}{each.HELP[1:]}.")
        given = settings or {} if command == each.NAME else {}
        for flag in each.FLAGS:
            if flag.name in given and flag.kind != "list":
                replace(flag, default=given[flag.name], required=False).add_to(sub)
            else:
                replace(flag, required=flag.required and flag.name not in given).add_to(sub)
    return root


def number(wrong: str, least: float, most: float) -> Callable[[str], float]:
    """Parses a number from ``least`` to ``most``; the error says that what was given is ``wrong``."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is {wrong} from {least:g} to {most:g}")
        return value

    return parse


frames_per_second = number("no number of pictures a second", 1, 240)
seconds = number("no number of seconds", 1, 86_400)


def threads(text: str) -> int:
    """A number of threads."""
    if not text.isdigit() or not 1 <= int(text) <= 256:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of threads from 1 to 256")
    return int(text)


COMMON: Final = (
    Flag("debug", "show the traceback of an error", "switch"),
    Flag("config", "TOML file whose keys are the flags' names; a flag beats it", metavar="FILE", setting=False),
    Flag("dump-config", "print the settings in force as such a file, and stop", "switch", setting=False),
)
STYLE: Final = Flag("style", "a shipped style or the folder of one (default: comic)", default="comic")
ENGINES: Final = Registry("engines.runtimes", "streamtoon.engines").names()  # the engines' own registry imports numpy
ENGINE: Final = (
    Flag(
        "engine",
        f"what draws: auto, {', '.join(ENGINES)}, with a choice of its own where it has one: "
        "tensorrt:int8, onnxruntime:cuda, openvino:f32 (default: auto, the fastest that runs here)",
        default="auto",
    ),
    Flag(
        "threads",
        "threads that drawing and coding may each use (default: one for every core)",
        default=available_cores(),
        parse=threads,
    ),
)
DRAWING: Final = (STYLE, *ENGINE)
REGION: Final = Flag(
    "region", "what is drawn; person: by styles that draw whole pictures (default: the style's)", choices=REGIONS
)
PLACE: Final = (
    REGION,
    Flag("background", "what becomes of the rest (default: the style's)", choices=BACKGROUNDS),
)
