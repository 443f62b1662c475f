"""What answers: open models, requests gathered into batches, and what is counted and logged."""
