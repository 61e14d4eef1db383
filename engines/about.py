"""What an engine's module tells of it: the rest of the application asks here, and names no engine itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

LAST_RANK: Final = 100
OWN: Final = "own"


@dataclass(frozen=True, slots=True)
class Variant:
    """A way to run an engine, tried by the parity gate and, where ``timed``, by ``bench engines``.

    name       as ``engines.load`` takes it: "onnxruntime:gpu"
    precision  fp32, fp16 or int8; OWN where the engine chooses by itself, and its device tells which (f32, f16 or bf16)
    """

    name: str
    precision: str = "fp32"
    timed: bool = True


@dataclass(frozen=True, slots=True)
class About:
    """An engine's ``ABOUT``.

    rank        its place in lists, and among those that "auto" tries: lower ones come first
    automatic   the name under which "auto" tries it, with an option where it has one; empty where it does not
    install     name, with or without an option -> the line that brings its library
    needs_plan  whether it runs a plan that trt_build compiles: ``load`` then takes ``plan`` and ``callers``, and
                ``ready()`` tells on what it would run, without one
    variants    ways to run it that are checked and measured; none for an engine that does not draw
    """

    rank: int = LAST_RANK
    automatic: str = ""
    install: Mapping[str, str] = field(default_factory=dict)
    needs_plan: bool = False
    variants: tuple[Variant, ...] = ()
