"""What every training run shares: the loop, checkpoints, the report, sample sheets."""
