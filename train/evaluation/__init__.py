"""Figures about a network."""
