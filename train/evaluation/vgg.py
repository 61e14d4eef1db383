"""VGG-16 up to conv3_3 (Simonyan and Zisserman, arXiv 1409.1556), to compare pictures by what it sees in them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its name everywhere

from foundation.errors import UsageError

LAYERS: Final = ("1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3")
MEAN_BGR: Final = (103.939, 116.779, 123.68)  # of ImageNet, as the weights of the paper want them subtracted


class Vgg(nn.Module):
    """(N, 3, h, w) in [-1, 1] RGB -> features after conv1_2, conv2_2 and conv3_3; frozen."""

    def __init__(self, weights: Path) -> None:
        """``weights``: .npz of ``convA_B.weight`` (OIHW) and ``convA_B.bias`` for BGR input. Raises UsageError."""
        super().__init__()
        try:
            with np.load(weights) as stored:
                for name in LAYERS:
                    kernel, bias = (
                        torch.from_numpy(stored[f"conv{name}.{part}"]).float() for part in ("weight", "bias")
                    )
                    layer = nn.Conv2d(kernel.shape[1], kernel.shape[0], 3, padding=1)
                    layer.load_state_dict({"weight": kernel, "bias": bias})
                    self.add_module(f"conv{name}", layer)
        except (OSError, ValueError, KeyError, IndexError, RuntimeError) as error:
            why = str(error).splitlines()[0]
            raise UsageError(f"VGG-16 weights {weights} cannot be read: {why}; give the .npz of the paper's") from None
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Features of three depths."""
        x = (x.flip(1) + 1) * 127.5 - torch.tensor(MEAN_BGR, device=x.device).view(1, 3, 1, 1)
        out = []
        for name, following in pairwise((*LAYERS, "")):
            x = F.relu(self.get_submodule(f"conv{name}")(x))
            if following[:1] != name[0]:  # the last of its block
                out.append(x)
                x = F.max_pool2d(x, 2)
        return out
