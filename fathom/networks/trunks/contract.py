"""What a trunk is: a builder of the module that gathers all tokens into one summary."""

from typing import Any, NamedTuple, Protocol

from torch import Tensor, nn

from fathom.networks.encoders.contract import Features


class Summary(NamedTuple):
    """What a trunk hands to the heads.

    ``vector (row, member, width)``: the member axis is 1 for a single network and *k* for an ensemble, so no trunk is special.
    ``tokens``, ``mask`` and ``maps`` are passed on for heads that write sequences or images.
    """

    vector: Tensor
    features: Features


class Trunk(Protocol):
    """The contract. The module that ``build`` returns has the whole numbers ``width`` and ``members`` as attributes."""

    NAME: str
    SUMMARY: str
    SOURCE: str
    Options: type[Any]

    def build(self, options: Any, tokens: int, width: int) -> nn.Module:
        """Return the module from :class:`Features` of ``tokens`` tokens of ``width`` to :class:`Summary`."""
        ...
