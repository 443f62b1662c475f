"""Writes a category: each member answers with a probability for every class, and the answer is their mean.

Trained on the cross-entropy, the log loss of the answer (Bishop, "Pattern Recognition and Machine Learning", 2006, section 4.3.4). Each member has
its own loss and only probabilities are averaged (TabM, section 3, https://arxiv.org/abs/2410.24210).
"""

from torch import Tensor, nn
from torch.nn import functional

from fathom.networks.heads.members import MemberLinear, mean_loss
from fathom.shapes import Part, Shape

NAME = "category"
WRITES: Shape = "code"
SUMMARY = "one probability a class"
SOURCE = "https://arxiv.org/abs/2410.24210"


def build(part: Part, width: int, members: int) -> nn.Module:
    """Return the module from a summary to logits, ``output (row, member, class)``."""
    return MemberLinear(members, width, part.codes)


def loss(output: Tensor, truth: Tensor, weights: Tensor | None) -> Tensor:
    """Return the cross-entropy of every member against the codes ``truth (row,)``."""
    members = output.shape[1]
    repeated = truth.unsqueeze(1).expand(-1, members)  # (row, member)
    losses = functional.cross_entropy(output.flatten(0, 1), repeated.flatten(), reduction="none")
    return mean_loss(losses.view(-1, members), weights)


def read_out(output: Tensor) -> Tensor:
    """Return the mean of the members' probabilities, ``(row, class)``."""
    return output.softmax(dim=-1).mean(dim=1)
