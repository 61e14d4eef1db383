"""The errors users can catch; the tree is drawn in foundation/errors.py."""

from foundation.errors import ModelError, SinkError, SourceError, StreamtoonError, UsageError

__all__ = ["ModelError", "SinkError", "SourceError", "StreamtoonError", "UsageError"]
