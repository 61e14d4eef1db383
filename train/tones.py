"""Lightness in few tones: what teachers draw in steps, and networks that learn from them after their last layer."""

from __future__ import annotations

from typing import Final

from torch import Tensor

FLAT: Final = 0.3  # of a step around each tone that is nearly flat
LEFT: Final = 0.15  # of the slope that is left there: none would teach nothing, and flicker at the borders


def stepped(luma: Tensor, tones: int, top: float = 1.0) -> Tensor:
    """Luma 0..``top``, of any shape -> the same in so many tones, the first 0 and the last ``top``; 0: as it is.

    Soft quantisation (Winnemoeller, Olsen, Gooch 2006), its borders straight: every tone can still be drawn.
    """
    if not tones:
        return luma
    step = top / (tones - 1)
    near = (luma / step).round()
    off = luma / step - near
    ramp = (off - off.clamp(-FLAT, FLAT)) * (0.5 / (0.5 - FLAT))
    return (near + ramp * (1 - LEFT) + off * LEFT) * step
