"""A model that serves is fitted again, judged by a gate, and takes the old one's place or does not."""
