"""Every error raised on purpose, here and in the other packages; only edges (cli, web, train's command) show one.

StreamtoonError          exit 1: it could not be done (the message says what, why, what next)
├── UsageError           exit 2: it was asked wrongly (bad path, bad value, bad style folder)
├── ModelError           a face model is missing, unreachable or has the wrong hash
├── SourceError          a source cannot be opened, or holds nothing that can be read
├── SinkError            a sink cannot be written
├── EngineError          an engine cannot load or cannot draw, or a plan cannot be compiled
├── TrainingError        a training run cannot go on
└── ChildError           a process of its own gave no result: it crashed, was killed, took too long
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


class EngineError(StreamtoonError):
    """An engine cannot load or cannot draw; the message says which, why and what next."""


class TrainingError(StreamtoonError):
    """A training run cannot go on."""


class ChildError(StreamtoonError):
    """A process of its own gave no result: it crashed, was killed, took too long, or its function failed.

    exception: name of the type that its function raised, empty where the process ended without raising.
    """

    def __init__(self, text: str, exception: str = "") -> None:
        super().__init__(text)
        self.exception = exception
