"""Measurements: convert, live, flicker, engines."""
