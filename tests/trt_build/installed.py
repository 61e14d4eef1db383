"""Whether plans can be built here."""

import pytest

from engines import EngineError, nvidia


def missing_tensorrt():
    """Why no plan can be built here; empty where one can. TensorRT itself stays out of this process."""
    try:
        nvidia.identity()
    except EngineError as error:
        return str(error)
    return ""


def needs_tensorrt():
    """The mark of a test that builds plans: skipped, with the reason, where no TensorRT is installed."""
    return pytest.mark.skipif(bool(missing_tensorrt()), reason=missing_tensorrt() or "-")


def skip_without_tensorrt():
    """Skip the test that calls it where no TensorRT is installed."""
    if missing_tensorrt():
        pytest.skip(missing_tensorrt())
