"""Is the world still as it was in training: drift, its chance, and how it is told."""
