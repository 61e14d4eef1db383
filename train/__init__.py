"""Photos -> style folder: a procedural teacher draws, a compact network learns to draw like it, ``export`` ships it."""
