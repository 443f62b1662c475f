"""What a table is, and how it becomes arrays and back (NumPy and Arrow, never torch)."""
