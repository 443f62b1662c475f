"""Result data in, inline SVG out: one file per family of plots, all made of the marks in ``drawing``."""
