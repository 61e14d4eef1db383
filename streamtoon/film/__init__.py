"""Films as files: containers, codecs, tracks, rotation."""
