"""The versions of one model side by side, which of them is served, and every change of that, atomic and logged."""
