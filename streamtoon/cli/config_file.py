"""Settings from a TOML file: the keys are the flags' own names. A flag beats the file, the file beats the default.

    engine = "openvino"             # for every command that has --engine

    [live]
    on-no-face = "card"             # for live alone; beats the same key above
    sink = ["virtualcam:", "out.mp4"]

Only the file named by ``--config`` is read, none is looked for. Every key in it is checked, also those of commands
that do not run; values are checked where they are used, as the flag itself would be.
"""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from streamtoon.cli import arguments
from streamtoon.cli.arguments import Command, Flag
from streamtoon.errors import UsageError

OPTION: Final = "--config"


def parse(commands: Sequence[Command], given: Sequence[str] | None = None) -> argparse.Namespace:
    """What was asked for, with the file named by --config between flags and defaults.

    The namespace also gets ``command``, the name of the command. Raises UsageError for what is wrong with the file;
    what is wrong with the flags ends as argparse ends it.
    """
    words = list(sys.argv[1:] if given is None else given)
    name = next((word for word in words if not word.startswith("-")), "")
    path = _named(words)
    known = any(name == command.NAME for command in commands)
    settings = read(path, commands, name) if known and path is not None else {}
    args = arguments.parser(commands, name, settings).parse_args(words, argparse.Namespace(command=name))
    for flag in _settings(commands)[name].values():
        if flag.kind == "list" and getattr(args, flag.key) is None:
            setattr(args, flag.key, settings.get(flag.name))
    return args


def load(path: Path) -> dict[str, Any]:
    """The file as it is written. Raises UsageError where it cannot be read or is no TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}; {OPTION} wants a TOML file") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} is no TOML file: {error}; see https://toml.io") from error


def read(path: Path, commands: Sequence[Command], name: str) -> dict[str, Any]:
    """The settings that a file has for the command ``name``: key -> value as the flag would give it. UsageError."""
    flags = _settings(commands)
    anywhere = {key for settings in flags.values() for key in settings}
    file = load(path)
    tables = {key: value for key, value in file.items() if isinstance(value, dict)}
    above = {key: value for key, value in file.items() if key not in tables}
    _check(path, tables, flags, "table")
    _check(path, above, anywhere, "key")
    for key, table in tables.items():
        _check(f"{path}: [{key}]", table, flags[key], "key")
    own = flags[name]
    written = {key: value for key, value in above.items() if key in own} | tables.get(name, {})
    return {key: _value(f"{path}: {key}", own[key], value) for key, value in written.items()}


def dump(commands: Sequence[Command], args: argparse.Namespace) -> str:
    """The settings in force, as a file that gives the same ones. ``args``: what ``parse`` returned."""
    lines = [f"[{args.command}]"]
    for key, flag in _settings(commands)[args.command].items():
        value = getattr(args, flag.key)
        lines.append(f"# {key} is not set" if value is None else f"{key} = {_written(flag, value)}")
    return "\n".join(lines) + "\n"


def _named(words: list[str]) -> Path | None:
    """The file that --config names, the last one if several; argparse takes shortened flags too."""
    path = None
    for word, following in zip(words, [*words, ""][1:], strict=True):
        name, equals, value = word.partition("=")
        if word == "--":
            break
        if len(name) > 2 and OPTION.startswith(name) and (value or following):
            path = Path(value if equals else following)
    return path


def _settings(commands: Sequence[Command]) -> dict[str, dict[str, Flag]]:
    """Of each command: key -> flag, in the order of --help."""
    return {
        command.NAME: {flag.name: flag for flag in command.FLAGS if flag.setting and flag.kind != "positional"}
        for command in commands
    }


def _check(where: object, written: Iterable[str], known: Iterable[str], kind: str) -> None:
    choices = sorted(known)
    for name in written:
        if name not in choices:
            near = get_close_matches(name, choices, 1, cutoff=0.0)
            raise UsageError(f"{where}: unknown {kind} {name!r}; the nearest known one is {near[0]!r}")


def _value(where: str, flag: Flag, value: Any) -> Any:
    """What the flag would make of ``value``. Raises UsageError."""
    if flag.kind in ("switch", "yes-no"):
        if not isinstance(value, bool):
            raise UsageError(f"{where} is {_toml(value)}; it must be true or false")
        return value
    if flag.kind == "list":
        return [_single(where, flag, one) for one in (value if isinstance(value, list) else [value])]
    return _single(where, flag, value)


def _single(where: str, flag: Flag, value: Any) -> Any:
    kinds: dict[object, tuple[str, tuple[type, ...]]] = {
        None: ("text", (str,)),
        str: ("text", (str,)),
        int: ("a whole number", (int,)),
        float: ("a number", (int, float)),
    }
    wanted, classes = kinds.get(flag.parse, ("text or a number", (str, int, float)))
    if isinstance(value, bool) or not isinstance(value, classes):
        raise UsageError(f"{where} is {_toml(value)}; it must be {wanted}")
    try:
        made = flag.parse(str(value)) if flag.parse is not None else value
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"{where}: {error}") from error
    except (TypeError, ValueError) as error:
        raise UsageError(f"{where} is {_toml(value)}: {error}") from error
    if flag.choices is not None and made not in flag.choices:
        raise UsageError(f"{where} is {_toml(value)}; it must be one of {', '.join(flag.choices)}")
    return made


def _written(flag: Flag, value: Any) -> str:
    """The TOML that gives ``value`` back."""
    if flag.kind == "list":
        return f"[{', '.join(_toml(_text(flag, one)) for one in value)}]"
    return _toml(_text(flag, value))


def _text(flag: Flag, value: Any) -> Any:
    return value if flag.write is None else flag.write(value)


def _toml(value: Any) -> str:
    """Text, numbers, true, false and lists of them as TOML; anything else as Python shows it, for messages."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return repr(value) if isinstance(value, (int, float)) else str(value)
