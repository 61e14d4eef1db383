"""Training methods, one file each, and the loop they share."""
