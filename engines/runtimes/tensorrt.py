"""TensorRT on an NVIDIA GPU. It runs plans: ``trt_build`` compiles them from a style's ONNX file and keeps them.

A plan is for pictures of one shape. Crops have one; a picture network gets a plan for each shape that it is given.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engines import U8, Engine, EngineError, Network, nvidia, openvino_core, rtx, trt_lane
from engines.about import About, Variant
from engines.network import KEPT_SHAPES
from foundation import files

ABOUT = About(
    rank=10,
    automatic="tensorrt",
    install={"tensorrt": 'pip install "streamtoon[tensorrt]"  # an NVIDIA GPU and its driver come first'},
    needs_plan=True,
    variants=tuple(Variant("tensorrt", precision) for precision in ("fp32", "fp16", "int8")),
)
Shape = tuple[int, int]  # height and width of pictures, px
# precision, why the plan given before is refused ("" at first), pictures' shape (None: the crops') -> the plan's file
Plan = Callable[[str, str, Shape | None], Path]


class UnloadableError(EngineError):
    """TensorRT does not take the plan: it is of another version or GPU, whatever its key says."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"{file.name} does not load: {reason}; run `streamtoon engine build` on this GPU")
        self.reason = reason


class TensorRT:
    """One plan on the GPU. ``callers`` threads may draw at a time, each with a lane of its own; more wait."""

    name = "tensorrt"

    def __init__(self, file: Path, callers: int, network: Network | None = None) -> None:
        """network: what the plan was made of; None for one that draws crops, as the plan says itself."""
        self._library, gpu = nvidia.library(), nvidia.gpu()
        self._kernels_file = file.with_suffix(".kernels")
        self._kernels: Any = None
        self._lanes: queue.SimpleQueue[trt_lane.Lane | None] = queue.SimpleQueue()  # those that nobody draws with
        self._closed, self._lock = False, threading.Lock()
        nvidia.check(*nvidia.runtime().cudaSetDevice(0))  # TensorRT for RTX wants a context before it reads its kernels
        log = nvidia.logger(self._library.trt)
        self._runtime = self._library.trt.Runtime(log)
        plan, config = self._runtime.deserialize_cuda_engine(file.read_bytes()), None
        if plan is None:
            reason = log.reason()
            raise EngineError(reason) if reason == nvidia.FULL else UnloadableError(file, reason)
        sides, self._most = _sides(plan, file.name)
        self._network = network or Network(sides[0])
        shapes = (self._most, *sides), (self._most, *self._network.drawn(*sides[:2]))
        if self._library.rtx:
            config, self._kernels = rtx.contexts(self._library.trt, plan, self._kernels_file)
        log.reason()  # forgets what it said about what went well in the end
        try:
            for _ in range(callers):
                self._lanes.put(trt_lane.Lane(self._library, plan, config, shapes, log.reason))
        except BaseException:
            self._kernels = None  # nothing was compiled that would be worth keeping
            self.close()
            raise
        self.device = f"{gpu.name}, {file.stem}, {self._library.name} {self._library.version}"

    def __call__(self, pictures: U8) -> U8:
        """uint8 (N, h, w, 3) RGB -> uint8, drawn as the network does; N up to what the plan was built for."""
        self._network.check(pictures, self._most)
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


class WholePictures:
    """A picture network on the GPU: a plan for each shape of pictures, the last few of them loaded.

    load: the plan of a shape, compiled where there is none: its first picture waits for that.
    """

    name = "tensorrt"

    def __init__(self, network: Network, load: Callable[[Shape], TensorRT], device: str) -> None:
        self._network, self._load = network, load
        self.device = device
        self._plans: OrderedDict[Shape, TensorRT] = OrderedDict()
        self._closed, self._lock = False, threading.Lock()

    def __call__(self, pictures: U8) -> U8:
        """uint8 (N, h, w, 3) RGB -> uint8 (N, scale * h * 3 / 2, scale * w) I420."""
        self._network.check(pictures)
        h, w = pictures.shape[1:3]
        with self._lock:
            if self._closed:
                raise EngineError("tensorrt was closed")
            engine = self._plans.get((h, w))
            if engine is None:
                engine = self._plans[h, w] = self._load((h, w))
                self.device = engine.device
            self._plans.move_to_end((h, w))
            if len(self._plans) > KEPT_SHAPES:
                self._plans.popitem(last=False)[1].close()
        return engine(pictures)

    def close(self) -> None:
        """As of each plan."""
        with self._lock:
            self._closed = True
            plans = list(self._plans.values())
            self._plans.clear()
        for engine in plans:
            engine.close()


def _sides(plan: Any, name: str) -> tuple[tuple[int, ...], int]:
    """Of the pictures that the plan takes: (h, w, 3), and how many at most. EngineError unless it takes pictures."""
    tensors = trt_lane.names(plan)
    shapes = [tuple(plan.get_tensor_shape(t)) for t in tensors]
    if len(shapes) != 2 or len(shapes[0]) != 4 or shapes[0][3] != 3 or min(shapes[0][1:]) < 1:
        raise EngineError(f"{name} maps {shapes}; it must map pictures of one shape, uint8 (N, h, w, 3), to drawings")
    _, _, most = plan.get_tensor_profile_shape(tensors[0], 0)
    return tuple(int(side) for side in shapes[0][1:]), int(most[0])


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
    _, gpu = nvidia.ready()
    if plan is None:
        raise EngineError(f"it runs a plan, not {Path(onnx_path).name}; make one with `python -m trt_build`")
    kind = precision or "fp16"
    network = openvino_core.read(Path(onnx_path))[1]

    def loaded(shape: Shape | None) -> TensorRT:
        try:
            return TensorRT(plan(kind, "", shape), callers, network)
        except UnloadableError as error:
            return TensorRT(plan(kind, error.reason, shape), callers, network)

    if network.whole_picture:
        return WholePictures(network, loaded, f"{gpu.name}, {kind}")
    return loaded(None)
