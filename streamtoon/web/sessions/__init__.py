"""One session for each open page."""
