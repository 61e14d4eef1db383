"""``trt_build STYLE``: compile a plan, or find it. ``trt_build check STYLE``: the parity gate.

``python -m trt_build`` takes ONNX files alone; the command ``trt_build``, streamtoon.cli.trt_build, takes styles too.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Final

from engines import U8, EngineError
from foundation.progress import Progress
from trt_build import check as gate
from trt_build import crops, plan, read
from trt_build.precision import KINDS
from trt_build.source import Source

DESCRIPTION: Final = "``trt_build STYLE``: compile a plan, or find it. ``trt_build check STYLE``: the parity gate."


def main(
    arguments: list[str] | None = None,
    *,
    find: Callable[[str], Source] = lambda name: read(Path(name)),
    photo: Callable[[], U8] | None = None,
) -> int:
    """The exit code: 0 done; 1 it could not be done, or an engine is refused; 130 Ctrl-C.

    find: gives the source by what was named; photo: the face to make crops of (crops.moved), where there is one.
    """
    parser = argparse.ArgumentParser(
        prog="trt_build", description=DESCRIPTION, usage="%(prog)s [check] STYLE [--precision KIND] [--crops CROPS] "
        "[--cache FOLDER] [--json]",
    )  # fmt: skip
    parser.add_argument("words", nargs="+", metavar="STYLE", help="a shipped style, the folder of one, or an ONNX file")
    parser.add_argument("--precision", choices=KINDS, default="fp16", help="of the plan (default: fp16)")
    parser.add_argument("--crops", type=Path, help="folder of pictures, or an .npz, to calibrate INT8 or to check on")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="folder of the plans (default: this user's cache)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args(arguments)
    checking = args.words[0] == "check" and len(args.words) == 2
    if (not checking and len(args.words) != 1) or args.words == ["check"]:
        parser.error(f"give one style, or check and one style, not {' '.join(args.words)!r}")
    try:
        source, face = find(args.words[-1]), None if photo is None else photo()
        pictures = crops.read(args.crops, source) if args.crops else None
        with closing(Progress("checking" if checking else "compiling")) as progress:
            if checking:
                results = gate.check(source, pictures, photo=face, folder=args.cache, progress=progress)
            else:
                made = plan(
                    source, args.precision, folder=args.cache, photo=face, calibration=pictures, progress=progress
                )
        if checking:
            print(json.dumps({"engines": [asdict(r) for r in results]}) if args.json else gate.as_table(results))
            return 1 if gate.refused(results) else 0
        print(json.dumps(made.as_json()) if args.json else made.as_text())
    except EngineError as error:
        sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("stopped; nothing half-written was left\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
