"""``python -m train VERB``: prepare -> pairs -> paired -> export -> evaluate, or pix2pix or cyclegan."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Union

import tyro

from foundation.errors import StreamtoonError
from train.methods import METHODS

BEFORE, AFTER = ("prepare", "pairs", "picture-pairs"), ("export", "evaluate", "diagnose")  # verbs that teach nothing


def verbs() -> tuple[str, ...]:
    """Every verb in the order of use; the methods between are those the registry finds."""
    return (*BEFORE, *(name for name in METHODS.names() if name not in BEFORE + AFTER), *AFTER)


def load(verb: str) -> tuple[type, Callable[[Any], Any]]:
    """What a verb asks for, as a dataclass, and what it does. Imports that verb alone."""
    match verb:
        case "prepare":
            from train.data import prepare

            return prepare.Args, prepare.prepare
        case "pairs":
            from train.data import pairs

            return pairs.Args, pairs.pairs
        case "picture-pairs":
            from train.data import picture_pairs

            return picture_pairs.Args, picture_pairs.picture_pairs
        case "export":
            from train.style_folder import export

            return export.Args, export.export
        case "evaluate":
            from train.evaluation import evaluate

            return evaluate.Args, evaluate.evaluate
        case "diagnose":
            from train.evaluation import diagnose

            return diagnose.Args, diagnose.diagnose
        case _:
            method = METHODS.load(verb)
            return method.Args, method.train


def parse(argv: list[str]) -> tuple[Callable[[Any], Any], Any]:
    """What to do and what with. Prints and exits as argparse does for ``--help`` and for what it cannot read."""
    program = "python -m train"
    if argv[:1] and argv[0] in verbs():
        kind, act = load(argv[0])
        return act, tyro.cli(kind, args=argv[1:], prog=f"{program} {argv[0]}")
    kinds = [Annotated[load(verb)[0], tyro.conf.subcommand(verb)] for verb in verbs()]
    tyro.cli(Union[tuple(kinds)], args=argv, prog=program, description=__doc__)  # type: ignore[call-overload]  # noqa: UP007 - made at run time
    raise AssertionError("unreachable: help and unknown verbs exit")


@contextmanager
def shown() -> Iterator[None]:
    """What this package logs goes to stdout as it is."""
    log, handler = logging.getLogger("train"), logging.StreamHandler(sys.stdout)
    log.addHandler(handler)
    level = log.level
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0 done, 1 could not be done, 2 asked wrongly, 130 stopped by Ctrl-C (what was learned is kept)."""
    act, args = parse(sys.argv[1:] if argv is None else argv)
    try:
        with shown():
            act(args)
    except StreamtoonError as error:
        print(f"train: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"train: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as stop:
        print(f"train: {str(stop) or 'stopped'}", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
