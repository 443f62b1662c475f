"""What an augmentation is: random variation of one shape that changes an array and not what it means."""

from typing import Any, Protocol

import torch
from torch import Tensor

from fathom.shapes import Part, Shape


class Augmentation(Protocol):
    """The contract.

    ``Options`` is a frozen dataclass of numbers, 0 (or false) in each leaving that variation out. Rows that hold nothing stay so, zero stays nothing, and the answer hangs on
    the generator alone.
    """

    READS: Shape
    SOURCE: str
    Options: type[Any]

    def choose(self, part: Part, train: Tensor, truth: Tensor | None, validation: Tensor, known: Tensor | None) -> Any:
        """Return the options that are taken when nothing is said, by some training and validation rows; ``truth`` and ``known`` are their classes, if they have."""
        ...

    def vary(self, options: Any, values: Tensor, generator: torch.Generator) -> Tensor:
        """Return other values of the same shape and type."""
        ...
