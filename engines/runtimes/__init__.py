"""One runtime a file; every module here is an engine."""
