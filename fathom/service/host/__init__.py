"""What answers: open models, requests gathered into batches, worker processes, and what they count and log."""
