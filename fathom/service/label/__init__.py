"""People label rows: which comes next, what they said, and how far they agree."""
