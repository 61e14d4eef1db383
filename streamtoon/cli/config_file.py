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

from streamtoon.errors import UsageError

FLAG: Final = "--config"
APART: Final = ("help", "version", "config", "dump-config")  # flags that are no settings
LISTS: Final = (argparse._AppendAction, argparse._ExtendAction)  # noqa: SLF001 - argparse has no other name for them


def parse(parser: argparse.ArgumentParser, arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Like ``parser.parse_args``, with the file named by --config between flags and defaults.

    The namespace also gets ``command``, the name of the command. ``parser`` keeps the file's values as its defaults.
    Raises UsageError for what is wrong with the file; what is wrong with the flags ends as argparse ends it.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    command = next((word for word in given if not word.startswith("-")), "")
    sub = _commands(parser).get(command)
    path = _named(given)
    lists = {}
    if sub is not None and path is not None:
        options = _options(sub)
        for key, value in read(path, parser, command).items():
            options[key].required = False
            if isinstance(options[key], LISTS):  # a flag would be added to such a default instead of replacing it
                lists[options[key]] = value
            else:
                sub.set_defaults(**{options[key].dest: value})
    args = parser.parse_args(given, argparse.Namespace(command=command))
    for action, value in lists.items():
        if getattr(args, action.dest) is action.default:
            setattr(args, action.dest, value)
    return args


def load(path: Path) -> dict[str, Any]:
    """The file as it is written. Raises UsageError where it cannot be read or is no TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}; {FLAG} wants a TOML file") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} is no TOML file: {error}; see https://toml.io") from error


def read(path: Path, parser: argparse.ArgumentParser, command: str) -> dict[str, Any]:
    """The settings that a file has for ``command``: key -> value as the flag would give it. Raises UsageError."""
    commands = {name: _options(sub) for name, sub in _commands(parser).items()}
    anywhere = {key for options in commands.values() for key in options}
    file = load(path)
    tables = {name: value for name, value in file.items() if isinstance(value, dict)}
    above = {key: value for key, value in file.items() if key not in tables}
    _check(path, tables, commands, "table")
    _check(path, above, anywhere, "key")
    for name, table in tables.items():
        _check(f"{path}: [{name}]", table, commands[name], "key")
    options = commands[command]
    written = {key: value for key, value in above.items() if key in options} | tables.get(command, {})
    return {key: _value(f"{path}: {key}", options[key], value) for key, value in written.items()}


def dump(parser: argparse.ArgumentParser, args: argparse.Namespace) -> str:
    """The settings in force, as a file that gives the same ones. ``args``: what ``parse`` returned."""
    lines = [f"[{args.command}]"]
    for key, action in _options(_commands(parser)[args.command]).items():
        text = _written(action, getattr(args, action.dest))
        lines.append(f"# {key} is not set" if text is None else f"{key} = {text}")
    return "\n".join(lines) + "\n"


def _named(given: list[str]) -> Path | None:
    """The file that --config names, the last one if several; argparse takes shortened flags too."""
    path = None
    for word, following in zip(given, [*given, ""][1:], strict=True):
        name, equals, value = word.partition("=")
        if word == "--":
            break
        if len(name) > 2 and FLAG.startswith(name) and (value or following):
            path = Path(value if equals else following)
    return path


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return parser._actions  # noqa: SLF001 - argparse has no other way to list them


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    subs = [a for a in _actions(parser) if isinstance(a, argparse._SubParsersAction)]  # noqa: SLF001 - as above
    return {name: sub for action in subs for name, sub in action.choices.items()}


def _options(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """Key -> flag, in the order of --help."""
    named = ((next((s for s in a.option_strings if s.startswith("--")), ""), a) for a in _actions(parser))
    return {name[2:]: action for name, action in named if name and name[2:] not in APART}


def _check(where: object, written: Iterable[str], known: Iterable[str], kind: str) -> None:
    choices = sorted(known)
    for name in written:
        if name not in choices:
            near = get_close_matches(name, choices, 1, cutoff=0.0)
            raise UsageError(f"{where}: unknown {kind} {name!r}; the nearest known one is {near[0]!r}")


def _value(where: str, action: argparse.Action, value: Any) -> Any:
    """What the flag would make of ``value``. Raises UsageError."""
    if isinstance(action, argparse.BooleanOptionalAction) or isinstance(action.const, bool):
        if not isinstance(value, bool):
            raise UsageError(f"{where} is {_toml(value)}; it must be true or false")
        return value if action.const is None else value is action.const
    if action.nargs == 0:
        raise UsageError(f"{where} cannot be set in a file; give it as a flag")
    if _takes_list(action):
        values = value if isinstance(value, list) else [value]
        return [_single(where, action, one) for one in values]
    return _single(where, action, value)


def _takes_list(action: argparse.Action) -> bool:
    return isinstance(action, LISTS) or action.nargs in ("+", "*") or isinstance(action.nargs, int)


def _single(where: str, action: argparse.Action, value: Any) -> Any:
    kinds: dict[object, tuple[str, tuple[type, ...]]] = {
        None: ("text", (str,)),
        str: ("text", (str,)),
        int: ("a whole number", (int,)),
        float: ("a number", (int, float)),
    }
    wanted, classes = kinds.get(action.type, ("text or a number", (str, int, float)))
    if isinstance(value, bool) or not isinstance(value, classes):
        raise UsageError(f"{where} is {_toml(value)}; it must be {wanted}")
    try:
        made = action.type(str(value)) if callable(action.type) else value
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"{where}: {error}") from error
    except (TypeError, ValueError) as error:
        raise UsageError(f"{where} is {_toml(value)}: {error}") from error
    if action.choices is not None and made not in action.choices:
        raise UsageError(f"{where} is {_toml(value)}; it must be one of {', '.join(map(str, action.choices))}")
    return made


def _written(action: argparse.Action, value: Any) -> str | None:
    """The TOML that gives ``value`` back; None where it is the default and none is needed or possible."""
    if value is None:
        return None
    if isinstance(action, argparse.BooleanOptionalAction):
        return _toml(value)
    if isinstance(action.const, bool):
        return _toml(value is action.const)
    if action.nargs == 0:
        return None
    if _takes_list(action):
        texts = [_text(action, one) for one in value]
        return None if None in texts else f"[{', '.join(str(t) for t in texts)}]"
    return _text(action, value)


def _text(action: argparse.Action, value: Any) -> str | None:
    """As ``_written``, for one value: a type's own way to write it is found by trying."""
    forms = [value, str(value)]
    if isinstance(value, (tuple, list)):
        forms += ["x".join(map(str, value)), ",".join(map(str, value))]
    for form in forms:
        try:
            if _single(action.dest, action, form) == value:
                return _toml(form)
        except UsageError:
            pass
    if value != action.default:
        raise ValueError(f"no text given to {action.option_strings[-1]} makes {value!r}, so it cannot be written down")
    return None


def _toml(value: Any) -> str:
    """Text, numbers, true, false and lists of them as TOML; anything else as Python shows it, for messages."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return repr(value) if isinstance(value, (int, float)) else str(value)
