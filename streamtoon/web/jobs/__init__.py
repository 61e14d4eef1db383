"""Work in processes of its own, and queues for it."""
