"""How far below and above a network's answer the truth may lie, for each row anew: what intervals of a number's answers are made of.

Why it exists: an interval that is as wide for every row of an answer's size is too narrow for rows that are hard and too wide for easy ones. Here two quantiles of what the answer is off by
are read from the trunk's summary, from the answer and from how far the members differ: quantile regression (Koenker and Bassett, Econometrica 46, 1978), whose share of truths held is set right
on validation rows (`fathom.bundle.answers.margining`: Romano, Patterson and Candès, "Conformalized Quantile Regression", NeurIPS 2019, https://arxiv.org/abs/1905.03222). The network's own weights
know nothing of it: margins are learned when training is over (`fathom.training.margins`).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from fathom.networks.heads import number
from fathom.networks.trunks.contract import Summary

ENDS = 2  # below and above the answer
OWN = 3  # what is read besides the summary: the answer, its square, and the logarithm of the members' spread
LEAST_SPREAD = 1e-4  # in encoded units, below which members are taken to be of one mind


class Margins(nn.Module):
    """Maps a summary and the output ``(row, member, 1)`` of a number's head to how far below and above its answer the truth may lie, ``(row, 2)``, in encoded units and above 0.

    Nothing here is trained with the rest of the network, nor drawn by chance.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width + OWN, ENDS), requires_grad=False)
        self.offset = nn.Parameter(torch.zeros(ENDS), requires_grad=False)
        self.scale = nn.Parameter(torch.ones(1), requires_grad=False)

    def forward(self, summary: Summary, output: Tensor) -> Tensor:
        """Return ``(row, 2)``."""
        return self.scale * functional.softplus(torch.addmm(self.offset, read(summary, output), self.weight))


def read(summary: Summary, output: Tensor) -> Tensor:
    """Return what margins are read from, ``(row, width + 3)``: the members' mean summary, the answer, its square, and the logarithm of how far the members are apart."""
    answer = output.squeeze(-1).mean(dim=1, keepdim=True)
    apart = (number.spread(output) + LEAST_SPREAD).log().unsqueeze(1)
    return torch.cat((summary.vector.mean(dim=1), answer, answer.square(), apart), dim=1)
