"""Writes a number: each member answers with one scalar, and the answer is their mean.

Trained on the squared error, whose best answer is the conditional mean (Bishop, "Pattern Recognition and Machine Learning", 2006, section
1.5.5). Each member has its own loss and only answers are averaged (TabM, section 3, https://arxiv.org/abs/2410.24210).
"""

from torch import Tensor, nn

from fathom.networks.heads.members import MemberLinear, mean_loss
from fathom.shapes import Part, Shape

NAME = "number"
WRITES: Shape = "scalar"
SUMMARY = "one scalar"
SOURCE = "https://arxiv.org/abs/2410.24210"


def build(part: Part, width: int, members: int) -> nn.Module:
    """Return the module from a summary to ``output (row, member, 1)``."""
    return MemberLinear(members, width, 1)


def loss(output: Tensor, truth: Tensor, weights: Tensor | None) -> Tensor:
    """Return the mean squared error of every member against ``truth (row,)``."""
    return mean_loss((output.squeeze(-1) - truth.unsqueeze(1)).square(), weights)


def read_out(output: Tensor) -> Tensor:
    """Return the mean of the members, ``(row,)``."""
    return output.squeeze(-1).mean(dim=1)


def spread(output: Tensor) -> Tensor:
    """Return the standard deviation of the members' answers, ``(row,)``, in encoded units."""
    members = output.squeeze(-1)
    return (members - members.mean(dim=1, keepdim=True)).square().mean(dim=1).sqrt()


def spread_of_many(answers: Tensor, spreads: Tensor) -> Tensor:
    """Return the standard deviation of the members of all networks, ``(row,)``: what they differ by within a network, and the networks among each other."""
    between = (answers - answers.mean(dim=0)).square().mean(dim=0)
    return (spreads.square().mean(dim=0) + between).sqrt()
