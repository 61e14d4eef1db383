"""A CUDA and a TensorRT made of host memory: what the engine asks of them is done, in the order of the stream.

A network here gives the negative of its crops, opaque. Scripted: faults are set by the tests.
"""

# ruff: noqa: N802, N815, G004 - the names are CUDA's and TensorRT's own

import ctypes
import threading
from types import SimpleNamespace

import numpy as np

import engines.runtimes.tensorrt
from engines import Network


class Cuda:
    """cuda.bindings.runtime, as far as engines use it. Device memory is host memory; a stream runs what it is given."""

    def __init__(self):
        ok, memory, driver, none = (SimpleNamespace(name=n) for n in ("ok", "memory", "driver", "none"))
        self.cudaError_t = SimpleNamespace(
            cudaSuccess=ok, cudaErrorMemoryAllocation=memory, cudaErrorInsufficientDriver=driver, cudaErrorNoDevice=none
        )
        self.cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2)
        self.cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal=1)
        self.ok = ok
        self.blocks = {}
        self.thread = threading.local()  # a capture belongs to the thread that began it
        self.launches = 0
        self.room = 1 << 40  # bytes that can be allocated
        self.capturing = True  # whether a stream lets itself be captured
        self.done = []  # names of the calls that free or wait, in order
        self.version = 13000
        self.devices = (ok, 1)

    def enqueue(self, work):
        if getattr(self.thread, "graph", None) is not None:
            self.thread.graph.append(work)
        else:
            work()

    def cudaDriverGetVersion(self):
        return self.ok, self.version

    def cudaRuntimeGetVersion(self):
        return self.ok, 13040

    def cudaGetDeviceCount(self):
        return self.devices

    def cudaGetDeviceProperties(self, _number):
        return self.ok, SimpleNamespace(name=b"Fake GPU", major=8, minor=9, totalGlobalMem=8 << 30)

    def cudaGetErrorString(self, error):
        return self.ok, error.name.encode()

    def cudaGetLastError(self):
        return (self.ok,)

    def cudaSetDevice(self, _number):
        return (self.ok,)

    def cudaMalloc(self, size):
        if size > self.room:
            return self.cudaError_t.cudaErrorMemoryAllocation, None
        self.room -= size
        block = ctypes.create_string_buffer(max(1, size))
        self.blocks[ctypes.addressof(block)] = block
        return self.ok, ctypes.addressof(block)

    def cudaHostAlloc(self, size, _flags):
        return self.cudaMalloc(size)

    def cudaFree(self, at):
        self.done.append("free")
        self.room += len(self.blocks.pop(int(at)))
        return (self.ok,)

    cudaFreeHost = cudaFree

    def cudaMemcpyAsync(self, to, source, size, _kind, _stream):
        self.enqueue(lambda: ctypes.memmove(to, source, size))
        return (self.ok,)

    def cudaStreamCreate(self):
        return self.ok, 7

    def cudaStreamDestroy(self, _stream):
        return (self.ok,)

    def cudaStreamSynchronize(self, _stream):
        self.done.append("wait")
        return (self.ok,)

    def cudaStreamBeginCapture(self, _stream, _mode):
        self.thread.graph = []
        return (self.ok,)

    def cudaStreamEndCapture(self, _stream):
        graph, self.thread.graph = self.thread.graph, None
        return (self.ok, graph) if self.capturing else (self.cudaError_t.cudaErrorNoDevice, None)

    def cudaGraphInstantiate(self, graph, _flags):
        return self.ok, list(graph)

    def cudaGraphDestroy(self, _graph):
        return (self.ok,)

    def cudaGraphExecDestroy(self, _graph):
        return (self.ok,)

    def cudaGraphLaunch(self, graph, _stream):
        self.launches += 1
        for work in graph:
            work()
        return (self.ok,)


class Context:
    def __init__(self, cuda, plan):
        self.cuda, self.plan, self.at, self.shape = cuda, plan, {}, None

    def set_device_memory(self, _memory, _size):
        pass

    def set_tensor_address(self, name, at):
        self.at[name] = at

    def set_input_shape(self, _name, shape):
        self.shape = shape
        return shape[0] <= self.plan.most

    def get_tensor_shape(self, name):
        n, h, w, _ = self.shape
        return self.shape if name == "crops" else (n, *self.plan.network.drawn(h, w))

    def execute_async_v3(self, _stream):
        self.plan.entered.set()
        assert self.plan.go.wait(10)
        if self.plan.fault:
            self.plan.log.log(1, f"{self.plan.fault} (In run at /_src/file.cpp:12)")
            return False
        shape, fed, made = self.shape, self.at["crops"], self.at["drawn"]

        def draw():
            count = int(np.prod(shape))
            crops = np.ctypeslib.as_array((ctypes.c_uint8 * count).from_address(fed)).reshape(shape)
            drawn = np.concatenate([255 - crops, np.full((*shape[:3], 1), 255, np.uint8)], axis=3)
            if self.plan.network.whole_picture:
                drawn = np.repeat(crops[:, :1, :1, 0], 6 * shape[1] * shape[2], 1)
            ctypes.memmove(made, np.ascontiguousarray(drawn).ctypes.data, drawn.nbytes)

        self.cuda.enqueue(draw)
        return True


class Plan:
    num_io_tensors = 2
    device_memory_size_v2 = 64

    def __init__(self, cuda, log, most, sides, network):
        self.cuda, self.log, self.most, self.sides, self.network, self.fault = cuda, log, most, sides, network, ""
        self.contexts = []
        self.kernels, self.compiled = b"", b"compiled kernels"
        self.entered, self.go = threading.Event(), threading.Event()  # a run has begun; it may go on
        self.go.set()

    def get_tensor_name(self, i):
        return ("crops", "drawn")[i]

    def get_tensor_shape(self, name):
        return (-1, *self.sides, 3) if name == "crops" else (-1, *self.network.drawn(*self.sides))

    def get_tensor_profile_shape(self, _name, _profile):
        return [(n, *self.sides, 3) for n in (1, 2, self.most)]

    def create_execution_context(self, _how):
        self.contexts.append(Context(self.cuda, self))
        return self.contexts[-1]

    def create_runtime_config(self):
        kernels = SimpleNamespace(
            deserialize=lambda data: setattr(self, "kernels", data), serialize=lambda: self.compiled
        )
        return SimpleNamespace(create_runtime_cache=lambda: kernels, set_runtime_cache=lambda _cache: None)


class Trt:
    """The modules tensorrt and tensorrt_rtx, as far as running a plan uses them."""

    __version__ = "11.4.0.106"

    class ILogger:
        INTERNAL_ERROR, ERROR = 0, 1

        def __init__(self):
            pass

    ExecutionContextAllocationStrategy = SimpleNamespace(USER_MANAGED="user")
    CudaGraphStrategy = SimpleNamespace(WHOLE_GRAPH_CAPTURE="whole")
    DynamicShapesKernelSpecializationStrategy = SimpleNamespace(LAZY="lazy")

    def __init__(self, cuda, most=8, size=16):
        self.cuda, self.most, self.network, self.plans = cuda, most, Network(size), []

    def Runtime(self, log):
        def deserialize(data):
            if data == b"foreign":
                log.log(1, "The plan was made for another GPU at /_src/plan.cpp:9")
                return None
            if data == b"too large":
                log.log(1, "[defaultAllocator.cpp::allocate::60] Error Code 1: Cuda Runtime (out of memory)")
                return None
            sides = [self.network.size] * 2
            if self.network.whole_picture:
                sides = [int(side) for side in data.split(b"x")]
            self.plans.append(Plan(self.cuda, log, self.most, sides, self.network))
            return self.plans[-1]

        return SimpleNamespace(deserialize_cuda_engine=deserialize)


def load(tmp_path, data=b"plan", callers=1):
    def plan(precision, _refused, _shape):
        file = tmp_path / f"ink-{precision}.plan"
        file.write_bytes(data)
        return file

    return engines.runtimes.tensorrt.load(tmp_path / "ink.onnx", plan=plan, callers=callers)
