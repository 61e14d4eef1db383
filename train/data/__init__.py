"""Photos and drawings -> batches."""
