"""What a user starts: convert, live, demo; frames flow in threads here and nowhere else."""
