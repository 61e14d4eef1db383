"""One way to a plan for ``tensorrt`` 10.12 and newer and for TensorRT for RTX: strongly typed, one batch profile."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from engines import EngineError, nvidia, rtx
from foundation import files

Profile = tuple[int, int, int]  # fewest, usual and most crops of a batch
PROFILE: Final[Profile] = (1, 4, 8)
OPERATOR: Final = "choose another engine, or leave the operator out of the network"


def compile(  # noqa: A001 - what it does, under its own name: trt_build.compile
    onnx: bytes,
    profile: Profile = PROFILE,
    *,
    timing: Path | None = None,
    progress: Callable[[str, float], None] = lambda _name, _share: None,
    cancel: threading.Event | None = None,
) -> bytes:
    """Compile an ONNX file, of the precision it is written in. Needs no GPU with TensorRT for RTX.

    timing: file of the timing cache (data-centre TensorRT), read and written. progress: is told a phase and its share
    0..1, from the building thread. cancel: ends the build at its next step. Raises EngineError with TensorRT's reason.
    """
    library = nvidia.library()
    trt = library.trt
    missing = _missing_gpu()
    if missing and not library.rtx:
        raise EngineError(f"tensorrt compiles only where it runs: {missing}")
    log = nvidia.logger(trt)
    builder = trt.Builder(log)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log)
    if not parser.parse(onnx):
        raise EngineError(f"TensorRT does not take the network: {_parse_error(parser)}; {OPERATOR}")
    config = builder.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)  # fp32 is what was asked for
    monitor = _monitor(trt, progress, cancel)
    config.progress_monitor = monitor
    if library.rtx:
        rtx.targets(trt, config, here=not missing)
    elif timing is not None:
        _timings(config, timing)
    shapes = builder.create_optimization_profile()
    fed = network.get_input(0)
    shapes.set_shape(fed.name, *[(n, *tuple(fed.shape)[1:]) for n in profile])
    config.add_optimization_profile(shapes)
    log.reason()  # forgets what it said about what went well in the end
    try:
        plan = _apart(partial(builder.build_serialized_network, network, config), monitor.stop)
        kept = None if plan is None else bytes(plan)
        measured = config.get_timing_cache() if kept and not library.rtx and timing is not None else None
        if measured is not None and timing is not None:
            with contextlib.suppress(OSError):  # it only saves time
                files.write(timing, bytes(measured.serialize()))
    finally:
        # in this order, here and now: a traceback would keep them, and the collector frees them in any order it likes
        plan = measured = shapes = fed = config = parser = network = builder = None
    if monitor.fault is not None:
        raise monitor.fault
    if kept is None:
        if monitor.stop.is_set():
            raise EngineError("compiling was cancelled")
        reason = log.reason()
        raise EngineError(
            f"TensorRT could not compile the network: {reason}" + ("" if reason == nvidia.FULL else f"; {OPERATOR}")
        )
    return kept


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


def _monitor(trt: Any, progress: Callable[[str, float], None], cancel: threading.Event | None) -> Any:
    """TensorRT's progress, told and cancelled. An exception must not leave it: TensorRT would abort the process."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]  # the base is known at run time only
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self.stop = cancel or threading.Event()
            self.fault: Exception | None = None  # of ``progress``
            self._steps: dict[str, int] = {}

        def phase_start(self, phase_name: str, _parent_phase: str | None, num_steps: int) -> None:
            self._steps[phase_name] = num_steps
            self._tell(phase_name, 0)

        def step_complete(self, phase_name: str, step: int) -> bool:
            self._tell(phase_name, step + 1)
            return not self.stop.is_set()

        def phase_finish(self, phase_name: str) -> None:
            self._steps.pop(phase_name, None)

        def _tell(self, name: str, step: int) -> None:
            try:
                progress(name, min(1.0, step / max(1, self._steps.get(name, 1))))
            except Exception as error:  # noqa: BLE001 - see above
                self.fault = error
                self.stop.set()

    return Monitor()


def _apart(work: Callable[[], Any], cancel: threading.Event) -> Any:
    """``work()`` in a thread of its own: Ctrl-C reaches us here and cancels it, and never TensorRT's own code."""
    answers: list[Any] = []
    failures: list[BaseException] = []
    done = threading.Event()  # not Thread.join: a Ctrl-C in that makes Python 3.11 take a running thread for ended

    def run() -> None:
        try:
            answers.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again below
            failures.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=run, name="compile")
    try:
        thread.start()
        while not done.wait(0.1):
            pass
    except BaseException:
        cancel.set()
        if thread in threading.enumerate():
            done.wait()  # until then the build uses what we would free
        raise
    thread.join()  # it has ended but for letting go of what it used
    if failures:
        raise failures[0]
    return answers[0]
