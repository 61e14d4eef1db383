"""TensorRT's builder, run by compiler.py in a process of its own: it has crashed in processes that did much before.

One way to a plan for ``tensorrt`` 10.12 and newer and for TensorRT for RTX: strongly typed, one batch profile.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from engines import EngineError, nvidia, rtx
from foundation import files
from foundation.child import Tell

OPERATOR: Final = "choose another engine, or leave the operator out of the network"


def build(
    tell: Tell, *, network: str, plan: str, profile: list[int], shape: list[int], timing: str, measured: str
) -> None:
    """Compile the ONNX file ``network`` into the file ``plan``, in the precision it is written in.

    profile: fewest, usual and most pictures of a batch. shape: their height and width; empty where the network has one.
    timing: file of the builder's timing cache, where there is one;
    measured: where it is written (data-centre TensorRT alone). tell: is told [phase, share 0..1].
    Raises EngineError with TensorRT's reason.
    """
    library = nvidia.library()
    trt = library.trt
    missing = _missing_gpu()
    if missing and not library.rtx:
        raise EngineError(f"tensorrt compiles only where it runs: {missing}")
    log = nvidia.logger(trt)
    builder = trt.Builder(log)
    graph = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(graph, log)
    if not parser.parse(Path(network).read_bytes()):
        raise EngineError(f"TensorRT does not take the network: {_parse_error(parser)}; {OPERATOR}")
    config = builder.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)  # fp32 is what was asked for
    config.progress_monitor = _monitor(trt, tell)
    if library.rtx:
        rtx.targets(trt, config, here=not missing)
    else:
        _timings(config, Path(timing))
    shapes = builder.create_optimization_profile()
    fed = graph.get_input(0)
    if shape:
        fed.shape = (-1, *shape, 3)  # before anything is compiled: then all sides within are known
    shapes.set_shape(fed.name, *[(n, *tuple(fed.shape)[1:]) for n in profile])
    config.add_optimization_profile(shapes)
    log.reason()  # forgets what it said about what went well in the end
    made = builder.build_serialized_network(graph, config)
    if made is None:
        reason = log.reason()
        raise EngineError(
            f"TensorRT could not compile the network: {reason}" + ("" if reason == nvidia.FULL else f"; {OPERATOR}")
        )
    files.write(Path(plan), bytes(made))
    timings = None if library.rtx else config.get_timing_cache()
    if timings is not None:
        files.write(Path(measured), bytes(timings.serialize()))


def _missing_gpu() -> str:
    """Why there is no GPU to compile for; empty where there is one."""
    try:
        nvidia.gpu()
    except EngineError as error:
        return str(error)
    return ""


def _timings(config: Any, file: Path) -> None:
    """Give the builder what it measured before; an empty cache where that is damaged or of another GPU."""
    for kept in (file.read_bytes() if file.is_file() else b"", b""):
        measured = config.create_timing_cache(kept)
        if measured is not None and config.set_timing_cache(measured, ignore_mismatch=False):
            return


def _parse_error(parser: Any) -> str:
    operators, reason = [], ""
    for number in range(parser.num_errors):
        said = parser.get_error(number)
        operators.append(said.node_operator())
        reason = reason or said.desc()
    named = ", ".join(dict.fromkeys(name for name in operators if name))
    return nvidia.plain(f"{named}: {reason}" if named else reason) or "it gives no reason"


def _monitor(trt: Any, tell: Tell) -> Any:
    """TensorRT's progress, told."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]  # the base is known at run time only
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._steps: dict[str, int] = {}

        def phase_start(self, phase_name: str, _parent_phase: str | None, num_steps: int) -> None:
            self._steps[phase_name] = num_steps
            self._tell(phase_name, 0)

        def step_complete(self, phase_name: str, step: int) -> bool:
            self._tell(phase_name, step + 1)
            return True

        def phase_finish(self, phase_name: str) -> None:
            self._steps.pop(phase_name, None)

        def _tell(self, name: str, step: int) -> None:
            tell([name, min(1.0, step / max(1, self._steps.get(name, 1)))])

    return Monitor()
