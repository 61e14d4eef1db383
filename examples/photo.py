"""Draw a photo: ``python examples/photo.py [PHOTO [DRAWN]]``; without a photo the embedded portrait is drawn."""

import sys
from pathlib import Path

from PIL import Image

import streamtoon

portrait = Path(streamtoon.__file__).parent / "assets" / "portrait.webp"
photo = sys.argv[1] if len(sys.argv) > 1 else portrait
drawn = sys.argv[2] if len(sys.argv) > 2 else "drawn.png"

picture = streamtoon.draw(photo, style="comic", background="paper")  # (h, w, 3) uint8 RGB
Image.fromarray(picture).save(drawn)
print(f"{drawn}: {picture.shape[1]}x{picture.shape[0]}, styles to try: {', '.join(streamtoon.styles())}")
