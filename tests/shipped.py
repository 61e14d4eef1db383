"""What tests of engines and plans take from the application: shipped styles as sources, crops of the portrait."""

from streamtoon.sources import portrait
from streamtoon.workflows.engine_choice import named_source
from trt_build.crops import CHECK_SEED, COUNT, moved

PHOTO = portrait.picture()


def source(name_or_path):
    return named_source(str(name_or_path))


def crops(size, seed=CHECK_SEED, count=COUNT):
    return moved(PHOTO, (size, size), seed, count)
