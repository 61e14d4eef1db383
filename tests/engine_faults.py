"""What goes wrong in engines of any kind: ``fault(count, drawn)`` is what call number ``count``, from 1 on, gives."""

import numpy as np

GOOD_CALLS = 3  # before it goes wrong: something is drawn that may be held


def raises(count, drawn):
    """Fail now and then."""
    if count % 3 == 0:
        raise RuntimeError("out of memory")
    return drawn


def always_raises(_count, _drawn):
    raise RuntimeError("out of memory")


def nan(count, drawn):
    return np.full(drawn.shape, np.nan, np.float32) if count > GOOD_CALLS else drawn


def wrong_shape(count, drawn):
    return drawn[:, :64] if count > GOOD_CALLS else drawn


def zeros(count, drawn):
    return np.zeros_like(drawn) if count > GOOD_CALLS else drawn
