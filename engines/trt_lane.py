"""What one caller of a TensorRT plan has: a stream, memory, and what draws each batch size.

A call copies the pictures into pinned memory, then one stream does everything: copy in, draw, copy out. With the
data-centre TensorRT that is captured once for each batch size and replayed as a CUDA graph; TensorRT for RTX captures
its own.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from engines import U8, EngineError, nvidia

Sides = tuple[int, ...]


def names(plan: Any) -> list[str]:
    """The plan's tensors, what is fed first; TensorRT lists inputs before outputs."""
    return [str(plan.get_tensor_name(i)) for i in range(plan.num_io_tensors)]


class Ready(NamedTuple):
    """What draws one batch size: a context, and the run as a CUDA graph where it could be captured."""

    context: Any
    graph: Any


class Lane:
    """A stream, pinned and device memory, and the execution contexts of one caller."""

    def __init__(
        self, library: nvidia.Library, plan: Any, config: Any, shapes: tuple[Sides, Sides], reason: Callable[[], str]
    ) -> None:
        """shapes: what goes in and what comes out at most, (N, ...)."""
        self._cuda, self._trt, self._reason = nvidia.runtime(), library.trt, reason
        self._plan, self._config = plan, config
        self._names = names(plan)
        self._ready: dict[int, Ready] = {}
        self._stream: Any = None
        self._free: list[tuple[Callable[[Any], Any], Any]] = []
        try:
            self._stream = self._own(self._cuda.cudaStreamCreate(), self._cuda.cudaStreamDestroy)
            self._pinned = [self._host(shape) for shape in shapes]
            self._memory = [self._device(array.nbytes) for array in self._pinned]
            # contexts of several batch sizes share their scratch memory: a lane runs one at a time
            self._scratch = 0 if config is not None else self._device(max(1, int(plan.device_memory_size_v2)))
        except BaseException:
            self.close()
            raise

    def draw(self, pictures: U8) -> U8:
        """The drawings of ``pictures``, which the plan's profile allows."""
        count = len(pictures)
        self._pinned[0][:count] = pictures
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

    def _set_up(self, count: int) -> Ready:
        """Draw so many for the first time: TensorRT sets itself up in that run, which no graph may capture."""
        context = self._context()
        self._shape(context, count)
        self._run(context, count)
        self._wait()
        return Ready(context, None if self._config is not None else self._capture(context, count))

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
        (fed, made), (source, target) = self._names, self._pinned
        h, w = source.shape[1:3]
        if not context.set_input_shape(fed, (count, *source.shape[1:])):
            raise EngineError(f"tensorrt does not take {count} pictures of {w}x{h} px: {self._reason()}")
        shape = tuple(context.get_tensor_shape(made))
        if shape != (count, *target.shape[1:]):  # it would write beyond its memory
            raise EngineError(
                f"the plan makes {shape} of {count} pictures of {w}x{h} px, not {target.shape[1:]} of each"
            )

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
