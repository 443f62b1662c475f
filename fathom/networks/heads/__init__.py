"""The networks that write a shape from the summary."""

from fathom.networks.heads import category, number
from fathom.networks.heads.contract import Head
from fathom.shapes import Shape

HEADS: tuple[Head, ...] = (number, category)


def head_for(shape: Shape) -> Head:
    """Return the head that writes the shape."""
    return next(head for head in HEADS if shape == head.WRITES)


__all__ = ["HEADS", "Head", "head_for"]
