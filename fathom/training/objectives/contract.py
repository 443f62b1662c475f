"""What an objective is: the function from a batch to the loss that training makes small."""

from typing import Protocol

import torch
from torch import Tensor

from fathom.networks.network import Network
from fathom.training.batching import Batch


class Objective(Protocol):
    """The contract. The loop in ``training/loop.py`` is the same for all."""

    NAME: str
    SUMMARY: str
    SOURCE: str

    def loss(self, network: Network, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the total loss and its named parts, each a mean over the batch's rows."""
        ...
