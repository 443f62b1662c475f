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
LEAST = 1e-30  # probability, whose logarithm is taken
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


def spread(output: Tensor) -> Tensor:
    """Return how far the members' probabilities are from their mean, ``(row,)``: the mean Kullback-Leibler divergence, in nats, which is what to know the member would tell of the class.

    Source: Lakshminarayanan, Pritzel and Blundell, NeurIPS 2017, section 3.4 (https://arxiv.org/abs/1612.01474), who call it disagreement.
    """
    chances = output.softmax(dim=-1)
    together = chances.mean(dim=1, keepdim=True).clamp_min(LEAST).log()
    return (chances * (output.log_softmax(dim=-1) - together)).sum(dim=-1).mean(dim=1).clamp_min(0.0)


def spread_of_many(answers: Tensor, spreads: Tensor) -> Tensor:
    """Return how far the members of all networks are from the mean of all, ``(row,)``, in nats: within a network, and the networks among each other."""
    together = answers.mean(dim=0).clamp_min(LEAST).log()
    between = (answers * (answers.clamp_min(LEAST).log() - together)).sum(dim=-1).mean(dim=0)
    return spreads.mean(dim=0) + between.clamp_min(0.0)
