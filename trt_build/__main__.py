"""``python -m trt_build STYLE``: compile a plan, or find it. ``python -m trt_build check STYLE``: the parity gate."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from engines import EngineError
from trt_build import Made, crops, plan, read
from trt_build import check as gate
from trt_build.precision import KINDS


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0 done; 1 it could not be done, or an engine is refused; 130 Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m trt_build", description=__doc__)
    parser.add_argument(
        "words", nargs="+", metavar="[check] STYLE", help="a shipped style, the folder of one, or an ONNX file"
    )
    parser.add_argument("--precision", choices=KINDS, default="fp16", help="of the plan (default: fp16)")
    parser.add_argument(
        "--crops", type=Path, help="folder of square pictures, or an .npz, to calibrate INT8 or to check on"
    )
    parser.add_argument("--cache", type=Path, help="folder of the plans (default: this user's cache)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args(arguments)
    checking = args.words[0] == "check" and len(args.words) == 2
    if not checking and len(args.words) != 1:
        parser.error(f"give one style, or check and one style, not {' '.join(args.words)!r}")
    try:
        source = read(args.words[-1])
        pictures = crops.read(args.crops, source.size) if args.crops else None
        if checking:
            results = gate.check(source, pictures, folder=args.cache)
            print(json.dumps({"engines": [asdict(r) for r in results]}) if args.json else gate.as_table(results))
            return 1 if gate.refused(results) else 0
        progress = Progress()
        try:
            made = plan(source, args.precision, folder=args.cache, calibration=pictures, progress=progress)
        finally:
            progress.end()
        print(json.dumps(as_json(made)) if args.json else as_text(made))
    except EngineError as error:
        sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("stopped; nothing half-written was left\n")
        return 130
    return 0


def as_json(made: Made) -> dict[str, object]:
    """A plan, for ``--json``."""
    return {
        "plan": str(made.path), "key": asdict(made.key), "short": made.key.short, "seconds": made.seconds,
        "built": made.built, "why": made.why,
    }  # fmt: skip


def as_text(made: Made) -> str:
    """A plan, for people."""
    size = made.path.stat().st_size / 1e6
    head = (
        f"compiled in {made.seconds:.2f} s ({made.why})"
        if made.built
        else f"found; compiling it took {made.seconds:.2f} s"
    )
    facts = [f"  {name:12} {value or '-'}" for name, value in asdict(made.key).items()]
    return "\n".join(
        [f"plan         {made.path} ({size:.1f} MB), {head}", f"description  {made.path.with_suffix('.json')}", *facts]
    )


class Progress:
    """One line on a terminal, rewritten; nothing where stderr is a file or a pipe."""

    def __init__(self) -> None:
        self._used = False

    def __call__(self, phase: str, share: float) -> None:
        """Show a phase and how much of it is done, 0..1."""
        if sys.stderr.isatty():
            self._used = True
            sys.stderr.write(f"\rcompiling: {100 * share:3.0f} % {phase[:60]}\x1b[K")
            sys.stderr.flush()

    def end(self) -> None:
        """Leave the terminal's line clean."""
        if self._used:
            sys.stderr.write("\r\x1b[K")


if __name__ == "__main__":
    sys.exit(main())
