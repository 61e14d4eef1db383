"""The errors users can catch; the tree is drawn in foundation/errors.py."""

from foundation.errors import EngineError, ModelError, SinkError, SourceError, StreamtoonError, UsageError

__all__ = ["EngineError", "ModelError", "SinkError", "SourceError", "StreamtoonError", "UsageError"]
