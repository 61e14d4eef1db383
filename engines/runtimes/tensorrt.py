"""TensorRT on an NVIDIA GPU. It runs a plan: ``trt_build`` compiles one from a style's ONNX file and keeps it.

A call copies the crops into pinned memory, then one stream does everything: copy in, draw, copy out. With the
data-centre TensorRT that is captured once for each batch size and replayed as a CUDA graph; TensorRT for RTX captures
its own.
"""

from __future__ import annotations

import contextlib
import ctypes
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from engines import U8, Engine, EngineError, check_pictures, nvidia, rtx
from engines.about import About, Variant
from foundation import files

ABOUT = About(
    rank=10,
    automatic="tensorrt",
    install={"tensorrt": 'pip install "streamtoon[tensorrt]"  # an NVIDIA GPU and its driver come first'},
    needs_plan=True,
    variants=tuple(Variant("tensorrt", precision) for precision in ("fp32", "fp16", "int8")),
)
Plan = Callable[[str, str], Path]  # precision, why the plan given before is refused ("" at first) -> the plan's file


class UnloadableError(EngineError):
    """TensorRT does not take the plan: it is of another version or GPU, whatever its key says."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"{file.name} does not load: {reason}; run `streamtoon engine build` on this GPU")
        self.reason = reason


class TensorRT:
    """One plan on the GPU. ``callers`` threads may draw at a time, each with a lane of its own; more wait."""

    name = "tensorrt"

    def __init__(self, file: Path, callers: int) -> None:
        self._library, gpu = nvidia.library(), nvidia.gpu()
        self._kernels_file = file.with_suffix(".kernels")
        self._kernels: Any = None
        self._lanes: queue.SimpleQueue[_Lane | None] = queue.SimpleQueue()  # those that nobody draws with
        self._closed, self._lock = False, threading.Lock()
        nvidia.check(*nvidia.runtime().cudaSetDevice(0))  # TensorRT for RTX wants a context before it reads its kernels
        log = nvidia.logger(self._library.trt)
        self._runtime = self._library.trt.Runtime(log)
        plan, config = self._runtime.deserialize_cuda_engine(file.read_bytes()), None
        if plan is None:
            reason = log.reason()
            raise EngineError(reason) if reason == nvidia.FULL else UnloadableError(file, reason)
        self.size, self.max_batch = _sizes(plan, file.name)
        if self._library.rtx:
            config, self._kernels = rtx.contexts(self._library.trt, plan, self._kernels_file)
        log.reason()  # forgets what it said about what went well in the end
        try:
            for _ in range(callers):
                self._lanes.put(_Lane(self._library, plan, config, (self.size, self.max_batch), log.reason))
        except BaseException:
            self._kernels = None  # nothing was compiled that would be worth keeping
            self.close()
            raise
        self.device = f"{gpu.name}, {file.stem}, {self._library.name} {self._library.version}"

    def __call__(self, pictures: U8) -> U8:
        """uint8 (N, size, size, 3) RGB -> uint8 (N, size, size, 4) RGBA, N up to what the plan was built for."""
        check_pictures(pictures, self.size, self.max_batch)
        lane = self._lanes.get()
        if lane is None:
            self._lanes.put(None)  # for whoever else waits
            raise EngineError("tensorrt was closed")
        try:
            return lane.draw(pictures)
        finally:
            with self._lock:
                closed = self._closed
                if not closed:
                    self._lanes.put(lane)
            if closed:
                lane.close()

    def close(self) -> None:
        """Free the GPU's memory, and keep the kernels that TensorRT for RTX compiled for the next start.

        A lane that somebody draws with is freed by them as they leave: its memory must not go while the GPU writes.
        """
        with self._lock:
            first, self._closed = not self._closed, True
        if not first:
            return
        kernels, self._kernels = self._kernels, None
        kept = None if kernels is None else kernels.serialize()
        if kept is not None and self._kernels_file.parent.is_dir():  # not where the plan was deleted meanwhile
            with contextlib.suppress(OSError):  # it only saves time: a full disk must not spoil the end of a film
                files.write(self._kernels_file, bytes(kept))
        with contextlib.suppress(queue.Empty):
            while (lane := self._lanes.get_nowait()) is not None:
                lane.close()
        self._lanes.put(None)


class _Ready(NamedTuple):
    """What draws one batch size: a context, and the run as a CUDA graph where it could be captured."""

    context: Any
    graph: Any


class _Lane:
    """A stream, pinned and device memory, and the execution contexts of one caller."""

    def __init__(
        self, library: nvidia.Library, plan: Any, config: Any, sizes: tuple[int, int], reason: Callable[[], str]
    ) -> None:
        self._cuda, self._trt, self._reason = nvidia.runtime(), library.trt, reason
        self._plan, self._config = plan, config
        size, most = sizes
        self._names = _names(plan)
        self._ready: dict[int, _Ready] = {}
        self._stream: Any = None
        self._free: list[tuple[Callable[[Any], Any], Any]] = []
        try:
            self._stream = self._own(self._cuda.cudaStreamCreate(), self._cuda.cudaStreamDestroy)
            self._pinned = [self._host((most, size, size, channels)) for channels in (3, 4)]
            self._memory = [self._device(array.nbytes) for array in self._pinned]
            # contexts of several batch sizes share their scratch memory: a lane runs one at a time
            self._scratch = 0 if config is not None else self._device(max(1, int(plan.device_memory_size_v2)))
        except BaseException:
            self.close()
            raise

    def draw(self, crops: U8) -> U8:
        """The drawings of ``crops``, which the plan's profile allows."""
        count = len(crops)
        self._pinned[0][:count] = crops
        ready = self._ready.get(count)
        if ready is None:
            self._ready[count] = self._set_up(count)  # and draws
        elif ready.graph is not None:
            nvidia.check(*self._cuda.cudaGraphLaunch(ready.graph, self._stream))
        else:
            self._shape(ready.context, count)
            self._run(ready.context, count)
        self._wait()
        return self._pinned[1][:count].copy()

    def _set_up(self, count: int) -> _Ready:
        """Draw ``count`` crops for the first time: TensorRT sets itself up in that run, which no graph may capture."""
        context = self._context()
        self._shape(context, count)
        self._run(context, count)
        self._wait()
        return _Ready(context, None if self._config is not None else self._capture(context, count))

    def _context(self) -> Any:
        """A context with its memory: one for each batch size, as a graph is bound to it; one for all with RTX."""
        if self._config is not None:
            shared = next(iter(self._ready.values()), None)
            context = shared.context if shared else self._plan.create_execution_context(self._config)
        else:
            context = self._plan.create_execution_context(self._trt.ExecutionContextAllocationStrategy.USER_MANAGED)
        if context is None:
            raise EngineError(f"tensorrt cannot set up its memory: {self._reason()}")
        if self._config is None:
            context.set_device_memory(self._scratch, int(self._plan.device_memory_size_v2))
        for name, memory in zip(self._names, self._memory, strict=True):
            context.set_tensor_address(name, memory)
        return context

    def _shape(self, context: Any, count: int) -> None:
        size = self._pinned[0].shape[1]
        if not context.set_input_shape(self._names[0], (count, size, size, 3)):
            raise EngineError(f"tensorrt does not take {count} crops of {size} px: {self._reason()}")

    def _run(self, context: Any, count: int) -> None:
        """Copy in, draw, copy out, on the stream."""
        cuda = self._cuda
        (source, target), (fed, made) = self._pinned, self._memory
        kinds = cuda.cudaMemcpyKind
        nvidia.check(
            *cuda.cudaMemcpyAsync(
                fed, source.ctypes.data, source[:count].nbytes, kinds.cudaMemcpyHostToDevice, self._stream
            )
        )
        if not context.execute_async_v3(int(self._stream)):
            raise EngineError(f"tensorrt could not draw: {self._reason()}")
        nvidia.check(
            *cuda.cudaMemcpyAsync(
                target.ctypes.data, made, target[:count].nbytes, kinds.cudaMemcpyDeviceToHost, self._stream
            )
        )

    def _capture(self, context: Any, count: int) -> Any:
        """The run as a CUDA graph; None where it cannot be captured: then every run is launched layer by layer."""
        cuda, graph = self._cuda, None
        try:
            # of this thread alone: others may allocate meanwhile
            mode = cuda.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
            nvidia.check(*cuda.cudaStreamBeginCapture(self._stream, mode))
            try:
                self._run(context, count)
            finally:
                error, graph = cuda.cudaStreamEndCapture(self._stream)
            nvidia.check(error)
            return self._own(cuda.cudaGraphInstantiate(graph, 0), cuda.cudaGraphExecDestroy)
        except EngineError:
            cuda.cudaGetLastError()  # forgotten, so that the next call does not find it
            return None
        finally:
            if graph is not None:
                cuda.cudaGraphDestroy(graph)

    def _wait(self) -> None:
        nvidia.check(*self._cuda.cudaStreamSynchronize(self._stream))

    def _own(self, answer: tuple[Any, ...], free: Callable[[Any], Any]) -> Any:
        (made,) = nvidia.check(*answer)
        self._free.append((free, made))
        return made

    def _device(self, size: int) -> int:
        return int(self._own(self._cuda.cudaMalloc(size), self._cuda.cudaFree))

    def _host(self, shape: tuple[int, ...]) -> U8:
        """Page-locked memory as an array: the GPU copies from and to it by itself."""
        size = int(np.prod(shape))
        at = int(self._own(self._cuda.cudaHostAlloc(size, 0), self._cuda.cudaFreeHost))
        return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(at)).reshape(shape)

    def close(self) -> None:
        """Free everything, the last first, once the GPU is done with it."""
        if self._stream is not None:
            self._cuda.cudaStreamSynchronize(self._stream)  # a run that failed half-way may still copy
        self._ready.clear()
        self._plan = self._config = None
        while self._free:
            free, made = self._free.pop()
            free(made)
        self._stream = None


def _names(plan: Any) -> list[str]:
    """The plan's tensors, what is fed first; TensorRT lists inputs before outputs."""
    return [str(plan.get_tensor_name(i)) for i in range(plan.num_io_tensors)]


def _sizes(plan: Any, name: str) -> tuple[int, int]:
    """Side of a crop and the most crops of a batch; EngineError unless the plan keeps the engine contract."""
    tensors = _names(plan)
    shapes = [tuple(plan.get_tensor_shape(t)) for t in tensors]
    if len(shapes) != 2 or len(shapes[0]) != 4 or shapes[0][3] != 3 or len(shapes[1]) != 4 or shapes[1][3] != 4:
        raise EngineError(f"{name} maps {shapes}; it must map uint8 (N, S, S, 3) to (N, S, S, 4)")
    _, _, most = plan.get_tensor_profile_shape(tensors[0], 0)
    return int(shapes[0][1]), int(most[0])


def ready() -> str:
    """On what a plan would run here. Raises EngineError with what is missing, and what next."""
    library, gpu = nvidia.ready()
    return f"{gpu.name}, {library.name} {library.version}, CUDA {gpu.cuda}"


def load(
    onnx_path: Path, precision: str | None = None, *, threads: int = 1, plan: Plan | None = None, callers: int = 1
) -> Engine:
    """Run the plan of ``onnx_path``. precision: "fp16" (the default), "fp32" or "int8".

    plan: gives the plan's file, compiled where there is none; ``trt_build`` makes one. It is asked only where a GPU can
    run it, and once more where TensorRT does not take what it gave.
    """
    del threads
    nvidia.ready()
    if plan is None:
        raise EngineError(f"it runs a plan, not {Path(onnx_path).name}; make one with `python -m trt_build`")
    try:
        return TensorRT(plan(precision or "fp16", ""), callers)
    except UnloadableError as error:
        return TensorRT(plan(precision or "fp16", error.reason), callers)
