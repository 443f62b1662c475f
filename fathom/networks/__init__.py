"""Arrays in, answers out: encoders, trunks and heads, each an open set (torch)."""
