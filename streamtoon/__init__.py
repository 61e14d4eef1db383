"""streamtoon: the same picture, with the people in it drawn."""

__version__ = "0.1.0"
