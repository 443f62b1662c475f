"""What an encoder is: a builder of the module that reads one shape into tokens."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from torch import Tensor, nn

from fathom.shapes import Part, Shape


class Features(NamedTuple):
    """What an encoder hands to the trunk.

    ``tokens (row, token, width)``; ``mask (row, token)``, true where a token is real, or ``None`` when all are; ``maps`` are
    the feature maps of grids, finest first, for heads that draw.
    """

    tokens: Tensor
    mask: Tensor | None = None
    maps: tuple[Tensor, ...] = ()


class Encoder(Protocol):
    """The contract.

    An encoder of a flat shape reads the parts of all its columns at once, ``(row, part)``, and makes one token of each. One of a deep shape reads a single
    part, ``(row, *part.size)``, whose steps may be cut to the longest row of the batch; its module has the number of tokens that it makes as the attribute
    ``tokens``, and names in ``stages``, in order, the modules whose outputs show what each of its layers has learned:
    ``(row, unit)``, ``(row, step, unit)`` or ``(row, unit, height, width)``, or, where it has the attribute ``unit_axis = 1``, ``(row, unit, step)``. Its answer for a row hangs on neither the other rows
    nor the padding, and is finite for a row of nothing.
    """

    NAME: str
    READS: Shape
    SUMMARY: str
    SOURCE: str
    Options: type[Any]

    def build(self, options: Any, parts: Sequence[Part], width: int) -> nn.Module:
        """Return the module from the array of these parts to :class:`Features` of tokens of ``width``."""
        ...
