"""One linear layer a member: the last layer of every flat head."""

import torch
from torch import Tensor, nn

from fathom.networks.trunks.contract import Summary


class MemberLinear(nn.Module):
    """Maps ``summary.vector (row, member, width)`` to ``(row, member, outputs)``, every member with weights of its own."""

    def __init__(self, members: int, width: int, outputs: int) -> None:
        super().__init__()
        bound = width**-0.5
        self.weight = nn.Parameter(torch.empty(members, width, outputs).uniform_(-bound, bound))
        self.offset = nn.Parameter(torch.empty(members, outputs).uniform_(-bound, bound))

    def forward(self, summary: Summary) -> Tensor:
        """Return ``(row, member, outputs)``."""
        mixed = torch.bmm(summary.vector.transpose(0, 1), self.weight).transpose(0, 1)
        return mixed + self.offset


def mean_loss(losses: Tensor, weights: Tensor | None) -> Tensor:
    """Average ``losses (row, member)`` over rows, weighted by ``weights (row,)`` where given, and over members."""
    return losses.mean() if weights is None else (losses.mean(dim=1) * weights).mean()
