"""One frame's way: find, track, crop, draw, blend."""
