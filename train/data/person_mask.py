"""Where the person is in a training photo."""

from __future__ import annotations

import numpy as np

from streamtoon.pipeline import face_models
from streamtoon.pipeline.mediapipe_tasks import BLANK, image, options, quiet
from streamtoon.types import U8


class PersonMask:
    """RGB picture -> where the person is, by MediaPipe's selfie segmentation."""

    def __init__(self) -> None:
        from mediapipe.tasks.python import vision

        buffer = face_models.path("selfie_segmentation.tflite").read_bytes()
        settings = vision.ImageSegmenterOptions(base_options=options(buffer), output_confidence_masks=True)
        with quiet():
            self._segmenter = vision.ImageSegmenter.create_from_options(settings)
            self._segmenter.segment(image(BLANK))

    def __call__(self, picture: U8) -> U8:
        """(h, w, 3) uint8 RGB -> (h, w) uint8, 255 on the person."""
        mask = np.squeeze(self._segmenter.segment(image(picture)).confidence_masks[0].numpy_view())
        return np.asarray(mask * 255 + 0.5, np.uint8)

    def close(self) -> None:
        """Free the segmenter."""
        with quiet():
            self._segmenter.close()
