"""What may leave. Nothing else decides it."""
