"""Engines that draw whole pictures by a formula, as the networks of picture styles do: planes out."""

import cv2
import numpy as np


def planes(picture, scale=2):
    """(h, w, 3) uint8 RGB -> (scale * h * 3 / 2, scale * w) uint8: enlarged, as I420, BT.601, full range."""
    h, w = (scale * side for side in picture.shape[:2])
    y, v, u = cv2.split(cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb))
    chroma = [cv2.resize(p, (w // 2, h // 2), interpolation=cv2.INTER_AREA) for p in (u, v)]
    y = cv2.resize(y, (w, h), interpolation=cv2.INTER_LINEAR)
    return np.concatenate([y.reshape(-1), *(c.reshape(-1) for c in chroma)]).reshape(h * 3 // 2, w)


class Copy:
    """Gives pictures back, enlarged; ``fault(count, drawn)`` may spoil them."""

    name, device = "copy", "none"

    def __init__(self, fault=lambda _count, drawn: drawn, scale=2):
        self.fault, self.scale = fault, scale
        self.shapes = []
        self.closed = False

    def __call__(self, pictures):
        self.shapes.append(pictures.shape)
        drawn = np.stack([self.paint(planes(p, self.scale)) for p in pictures])
        return self.fault(len(self.shapes), drawn)

    def paint(self, drawn):
        return drawn

    def close(self):
        self.closed = True


class Negative(Copy):
    """Gives their negative back."""

    name = "negative"

    def paint(self, drawn):
        return 255 - drawn
