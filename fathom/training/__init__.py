"""How a network learns (torch)."""
