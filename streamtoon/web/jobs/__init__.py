"""Drawing photos and films, and what runs in child processes."""
