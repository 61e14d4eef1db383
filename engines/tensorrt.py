"""TensorRT on an NVIDIA GPU. It runs a plan: ``trt_build`` compiles one from a style's ONNX file and keeps it.

A call copies the crops into pinned memory, then one stream does everything: copy in, draw, copy out. With the
data-centre TensorRT that is captured once for each batch size and replayed as a CUDA graph; TensorRT for RTX captures
its own.
"""

from __future__ import annotations

import ctypes
import queue
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from engines import U8, Engine, EngineError, check_crops, nvidia, rtx

Plan = Callable[[str], Path]


class UnloadableError(EngineError):
    """TensorRT does not take the plan: it is of another version or GPU, whatever its key says."""


class TensorRT:
    """One plan on the GPU. ``callers`` threads may draw at a time, each with a lane of its own; more wait."""

    name = "tensorrt"

    def __init__(self, file: Path, callers: int) -> None:
        self._library, gpu = nvidia.library(), nvidia.gpu()
        nvidia.check(*nvidia.runtime().cudaSetDevice(0))  # TensorRT for RTX wants a context before it reads its kernels
        self._log = nvidia.logger(self._library.trt)
        self._kernels_file = file.with_suffix(".kernels")
        self._runtime = self._library.trt.Runtime(self._log)
        self._plan = self._runtime.deserialize_cuda_engine(file.read_bytes())
        if self._plan is None:
            raise UnloadableError(
                f"{file.name} does not load: {self._log.reason()}; run `streamtoon engine build` on this GPU"
            )
        self.size, self.max_batch = _sizes(self._plan, file.name)
        self._config: Any = None
        self._kernels: Any = None
        if self._library.rtx:
            self._config, self._kernels = rtx.contexts(self._library.trt, self._plan, self._kernels_file)
        self._open: list[_Lane] = []
        self._lanes: queue.SimpleQueue[_Lane] = queue.SimpleQueue()
        try:
            for _ in range(callers):
                lane = _Lane(self._library, self._plan, self._config, (self.size, self.max_batch), self._log.reason)
                self._open.append(lane)
                self._lanes.put(lane)
        except BaseException:
            self.close()
            raise
        self.device = f"{gpu.name}, {file.stem}, {self._library.name} {self._library.version}"

    def __call__(self, crops: U8) -> U8:
        """uint8 (N, size, size, 3) RGB -> uint8 (N, size, size, 4) RGBA, N up to what the plan was built for."""
        check_crops(crops, self.size, self.max_batch)
        lane = self._lanes.get()
        try:
            return lane.draw(crops)
        finally:
            self._lanes.put(lane)

    def close(self) -> None:
        """Free the GPU's memory; keep the kernels that TensorRT for RTX compiled, for the next start."""
        if self._kernels is not None and self._open:
            part = self._kernels_file.with_name(f"streamtoon-{id(self):x}.part")
            try:
                part.write_bytes(bytes(self._kernels.serialize()))
                part.replace(self._kernels_file)
            except OSError:  # it only saves time: a full disk must not spoil the end of a film
                part.unlink(missing_ok=True)
        for lane in self._open:
            lane.close()
        self._open.clear()
        self._kernels = self._config = self._plan = None


class _Lane:
    """A stream, pinned and device memory, and the execution contexts of one caller."""

    def __init__(
        self, library: nvidia.Library, plan: Any, config: Any, sizes: tuple[int, int], reason: Callable[[], str]
    ) -> None:
        self._cuda, self._trt, self._reason = nvidia.runtime(), library.trt, reason
        self._plan, self._config = plan, config
        size, most = sizes
        self._names = [plan.get_tensor_name(i) for i in range(plan.num_io_tensors)]
        self._contexts: dict[int, Any] = {}
        self._graphs: dict[int, Any] = {}
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
        if count not in self._contexts:
            self._contexts[count] = self._context()
            self._shape(count)
            self._run(count)  # once as it is: TensorRT sets itself up in the first run, which no graph may capture
            self._wait()
            if self._config is None:
                self._graphs[count] = self._capture(count)
        elif (graph := self._graphs.get(count)) is not None:
            nvidia.check(*self._cuda.cudaGraphLaunch(graph, self._stream))
        else:
            self._shape(count)
            self._run(count)
        self._wait()
        return self._pinned[1][:count].copy()

    def _context(self) -> Any:
        """A context with its memory: one for each batch size, as a graph is bound to it; one for all with RTX."""
        if self._config is not None:
            shared = next(iter(self._contexts.values()), None)
            context = shared or self._plan.create_execution_context(self._config)
        else:
            context = self._plan.create_execution_context(self._trt.ExecutionContextAllocationStrategy.USER_MANAGED)
        if context is None:
            raise EngineError(f"tensorrt cannot set up its memory: {self._reason()}")
        if self._config is None:
            context.set_device_memory(self._scratch, int(self._plan.device_memory_size_v2))
        for name, memory in zip(self._names, self._memory, strict=True):
            context.set_tensor_address(name, memory)
        return context

    def _shape(self, count: int) -> None:
        size = self._pinned[0].shape[1]
        if not self._contexts[count].set_input_shape(self._names[0], (count, size, size, 3)):
            raise EngineError(f"tensorrt does not take {count} crops of {size} px: {self._reason()}")

    def _run(self, count: int) -> None:
        """Copy in, draw, copy out, on the stream."""
        cuda, context = self._cuda, self._contexts[count]
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

    def _capture(self, count: int) -> Any:
        """The run as a CUDA graph; None where a layer of the network cannot be captured."""
        cuda = self._cuda
        nvidia.check(
            *cuda.cudaStreamBeginCapture(self._stream, cuda.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal)
        )
        try:
            self._run(count)
        except EngineError:
            cuda.cudaStreamEndCapture(self._stream)
            cuda.cudaGetLastError()
            return None
        (graph,) = nvidia.check(*cuda.cudaStreamEndCapture(self._stream))
        try:
            return self._own(cuda.cudaGraphInstantiate(graph, 0), cuda.cudaGraphExecDestroy)
        finally:
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
        """Free everything, the last first."""
        self._contexts.clear()
        self._graphs.clear()
        while self._free:
            free, made = self._free.pop()
            free(made)


def _sizes(plan: Any, name: str) -> tuple[int, int]:
    """Side of a crop and the most crops of a batch; EngineError unless the plan keeps the engine contract."""
    tensors = [plan.get_tensor_name(i) for i in range(plan.num_io_tensors)]
    shapes = [tuple(plan.get_tensor_shape(t)) for t in tensors]
    if len(shapes) != 2 or len(shapes[0]) != 4 or shapes[0][3] != 3 or len(shapes[1]) != 4 or shapes[1][3] != 4:
        raise EngineError(f"{name} maps {shapes}; it must map uint8 (N, S, S, 3) to (N, S, S, 4)")
    _, _, most = plan.get_tensor_profile_shape(tensors[0], 0)
    return int(shapes[0][1]), int(most[0])


def load(
    onnx_path: Path, precision: str | None = None, *, threads: int = 1, plan: Plan | None = None, callers: int = 1
) -> Engine:
    """Run the plan of ``onnx_path``. precision: "fp16" (the default), "fp32" or "int8".

    plan: precision -> the plan's file, compiled where there is none; ``trt_build`` gives one. It is asked only where a
    GPU can run it.
    """
    del threads
    if not nvidia.installed() and not nvidia.driver():
        raise EngineError(f"{nvidia.NO_DRIVER}; see https://www.nvidia.com/drivers")
    if nvidia.installed():
        nvidia.gpu()  # before TensorRT is loaded: it takes 130 MB, also where there is nothing to run it
    nvidia.library()
    if plan is None:
        raise EngineError(f"it runs a plan, not {Path(onnx_path).name}; make one with `python -m trt_build`")
    file = plan(precision or "fp16")
    try:
        return TensorRT(file, callers)
    except UnloadableError:
        file.unlink(missing_ok=True)  # then the cache compiles it again
        return TensorRT(plan(precision or "fp16"), callers)
