"""The generator of CycleGAN at full size with weights from a seed: the graph every way to TensorRT is proved on.

Zhu et al., arXiv 1703.10593, appendix 7.2: c7s1-64, d128, d256, nine R256, u128, u64, c7s1-3, with reflection padding,
InstanceNorm and transposed convolutions: what a network trained here leaves out because TensorRT is slow at it.
"""

from __future__ import annotations

import numpy as np

from trt_build.graph import Graph


def resnet9(size: int = 256, width: int = 64, blocks: int = 9, seed: int = 0) -> bytes:
    """The ONNX file: uint8 (N, size, size, 3) RGB in, uint8 (N, size, size, 4) RGBA out, alpha 255, N free.

    width is the channels of the first layer (ngf); weights are He's, so that no layer dies or explodes.
    """
    graph = Graph(seed)
    x = graph.add("Cast", ["crops"], to=1)
    x = graph.add("Transpose", [x], perm=[0, 3, 1, 2])
    x = graph.add("Sub", [graph.add("Mul", [x, graph.keep(np.float32(1 / 127.5))]), graph.keep(np.float32(1))])
    x = graph.norm(graph.conv(graph.reflect(x, 3), 3, width, 7), width)
    for channels in (width, 2 * width):
        x = graph.norm(graph.conv(x, channels, 2 * channels, 3, strides=[2, 2], pads=[1, 1, 1, 1]), 2 * channels)
    wide = 4 * width
    for _ in range(blocks):
        y = graph.norm(graph.conv(graph.reflect(x, 1), wide, wide, 3), wide)
        y = graph.norm(graph.conv(graph.reflect(y, 1), wide, wide, 3), wide, relu=False)
        x = graph.add("Add", [x, y])
    for channels in (wide, 2 * width):
        x = graph.norm(graph.up(x, channels, channels // 2), channels // 2)
    x = graph.add("Tanh", [graph.conv(graph.reflect(x, 3), width, 3, 7)])
    x = graph.add("Add", [graph.add("Mul", [x, graph.keep(np.float32(127.5))]), graph.keep(np.float32(127.5))])
    # alpha 255 of the right shape: the first channel, which a weight of nothing and a bias make opaque
    rows = np.concatenate([np.eye(3), np.zeros((1, 3))]).astype(np.float32)[:, :, None, None]
    bias = graph.keep(np.array([0, 0, 0, 255], np.float32))
    x = graph.add("Conv", [x, graph.keep(rows), bias], kernel_shape=[1, 1])
    x = graph.add("Round", [x])
    x = graph.add("Clip", [x, graph.keep(np.float32(0)), graph.keep(np.float32(255))])
    x = graph.add("Transpose", [x], perm=[0, 2, 3, 1])
    graph.add("Cast", [x], name="drawn", to=2)
    return graph.file(size)
