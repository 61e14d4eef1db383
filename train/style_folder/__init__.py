"""Checkpoints -> style folders, and back."""
