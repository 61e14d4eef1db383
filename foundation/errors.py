"""Every error this application raises on purpose; only ``cli.py`` turns one into a message and an exit code.

StreamtoonError          exit 1: it could not be done (the message says what, why, what next)
├── UsageError           exit 2: it was asked wrongly (bad path, bad value, bad style folder)
├── ModelError           a face model is missing, unreachable or has the wrong hash
├── SourceError          a source cannot be opened, or holds nothing that can be read
└── SinkError            a sink cannot be written
"""


class StreamtoonError(Exception):
    """It could not be done. One line: what, why, what next."""

    exit_code = 1


class UsageError(StreamtoonError):
    """It was asked wrongly."""

    exit_code = 2


class ModelError(StreamtoonError):
    """A face model is missing, unreachable or has the wrong hash."""


class SourceError(StreamtoonError):
    """A source cannot be opened, or holds nothing that can be read."""


class SinkError(StreamtoonError):
    """A sink cannot be written."""
