"""What every package shares: errors, files, progress. Imports nothing of ours."""
