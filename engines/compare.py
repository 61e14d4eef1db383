"""How far two engines' drawings are apart."""

from __future__ import annotations

from typing import Final

import numpy as np

from engines import U8, Engine

MIN_PSNR_DB: Final = 35.0  # dB, least PSNR between the drawings of the two engines; the parity gate asks 38 of INT8


def psnr(a: U8, b: U8) -> float:
    """PSNR in dB between two uint8 arrays; 99 where they are equal."""
    error = float(np.mean((a.astype(np.float64) - b) ** 2))
    return 99.0 if error == 0 else round(float(10 * np.log10(255**2 / error)), 2)


def difference(engine: Engine, pictures: U8, drawn: U8, whose: str) -> str:
    """Why ``engine`` does not draw ``pictures`` as another one did, which is ``drawn``; empty where it does."""
    made = engine(pictures)
    if made.shape != drawn.shape or made.dtype != drawn.dtype:
        return f"it gave {made.dtype} {made.shape} for pictures {pictures.shape}"
    found = psnr(made, drawn)
    return "" if found >= MIN_PSNR_DB else f"its drawing is {found:.1f} dB from {whose}'s, not {MIN_PSNR_DB:.0f}"
