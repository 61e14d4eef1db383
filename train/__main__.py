"""``python -m train VERB``: prepare -> pairs -> paired -> export -> evaluate, or pix2pix or cyclegan."""

from __future__ import annotations

import sys
from typing import Annotated

import tyro

from foundation.errors import StreamtoonError
from train.data import pairs, prepare
from train.evaluation import diagnose, evaluate
from train.methods import cyclegan, engrave, paired, pix2pix
from train.methods.checkpoint import BadInput
from train.methods.loop import Diverged
from train.style_folder import export

Verb = (
    Annotated[prepare.Args, tyro.conf.subcommand("prepare")]
    | Annotated[pairs.Args, tyro.conf.subcommand("pairs")]
    | Annotated[paired.Args, tyro.conf.subcommand("paired")]
    | Annotated[engrave.Args, tyro.conf.subcommand("engrave")]
    | Annotated[pix2pix.Args, tyro.conf.subcommand("pix2pix")]
    | Annotated[cyclegan.Args, tyro.conf.subcommand("cyclegan")]
    | Annotated[export.Args, tyro.conf.subcommand("export")]
    | Annotated[evaluate.Args, tyro.conf.subcommand("evaluate")]
    | Annotated[diagnose.Args, tyro.conf.subcommand("diagnose")]
)


def run(args: Verb) -> None:
    """Do what was asked."""
    match args:
        case prepare.Args():
            prepare.prepare(args)
        case pairs.Args():
            pairs.pairs(args)
        case engrave.Args():  # before paired: it is one, too
            engrave.train(args)
        case paired.Args():
            paired.train(args)
        case pix2pix.Args():
            pix2pix.train(args)
        case cyclegan.Args():
            cyclegan.train(args)
        case export.Args():
            export.export(args)
        case evaluate.Args():
            evaluate.evaluate(args)
        case diagnose.Args():
            diagnose.diagnose(args)


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0 done, 1 could not be done, 2 asked wrongly, 130 stopped by Ctrl-C (what was learned is kept)."""
    args: Verb = tyro.cli(Verb, args=argv, prog="python -m train", description=__doc__)
    try:
        run(args)
    except BadInput as error:
        print(f"train: {error}", file=sys.stderr)
        return 2
    except (StreamtoonError, OSError, Diverged) as error:
        print(f"train: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as stop:
        print(f"train: {stop or 'stopped'}", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
