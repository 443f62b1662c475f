"""What a head is: a builder of the module that writes one shape from the summary."""

from typing import Protocol

from torch import Tensor, nn

from fathom.shapes import Part, Shape


class Head(Protocol):
    """The contract. The module that ``build`` returns maps :class:`Summary` to ``output (row, member, …)``."""

    NAME: str
    WRITES: Shape
    SUMMARY: str
    SOURCE: str

    def build(self, part: Part, width: int, members: int) -> nn.Module:
        """Return the module that writes the target described by ``part``."""
        ...

    def loss(self, output: Tensor, truth: Tensor, weights: Tensor | None) -> Tensor:
        """Return the mean loss; each member is trained on its own loss. ``weights (row,)`` says what each row counts."""
        ...

    def read_out(self, output: Tensor) -> Tensor:
        """Turn the members' outputs into one answer: ``(row,)`` scalars or ``(row, class)`` probabilities."""
        ...

    def spread(self, output: Tensor) -> Tensor:
        """Return how far the members are apart, ``(row,)``, 0 where all say the same."""
        ...

    def spread_of_many(self, answers: Tensor, spreads: Tensor) -> Tensor:
        """Return how far the members of several networks are apart, ``(row,)``, from the answer ``(network, row, …)`` and the spread ``(network, row)`` of each."""
        ...
