"""Colour matrices, letterboxing and box arithmetic."""
