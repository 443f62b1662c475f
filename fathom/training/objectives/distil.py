"""Learn from a teacher's answers as well as from the truth: what it holds likely besides the true class says more of a row than the class alone.

The loss is that of the truth and, by ``SHARE``, the cross-entropy with the teacher's probabilities (its numbers, for a number). Source: Hinton, Vinyals and Dean, "Distilling the
Knowledge in a Neural Network", 2015, section 2 (https://arxiv.org/abs/1503.02531), at temperature 1, since the teacher's answers are those of a bundle.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from fathom.networks.heads import head_for
from fathom.networks.network import Network
from fathom.training.batching import Batch

NAME = "distil"
SUMMARY = "answer as a teacher does"
SOURCE = (
    "Hinton, Vinyals and Dean, Distilling the Knowledge in a Neural Network, 2015, https://arxiv.org/abs/1503.02531"
)
SHARE = 0.7  # of the loss that is the teacher's


def taught(column: str) -> str:
    """Return the name under which a batch's truth holds the teacher's answers for a column.

    >>> taught("price")
    'price, as the teacher has it'
    """
    return f"{column}, as the teacher has it"


def loss(network: Network, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the summed loss of all targets, and each target's; rows without a teacher's answers count by the truth alone."""
    outputs = network(batch.inputs)
    parts = _losses(network, outputs, batch)
    if batch.mixed is not None:  # of two rows at once, the loss is that of both, by their shares
        other = _losses(network, outputs, batch.take(batch.mixed.rows))
        share = batch.mixed.share
        parts = {name: share * own + (1 - share) * other[name] for name, own in parts.items()}
    return torch.stack(list(parts.values())).sum(), parts


def _losses(network: Network, outputs: Mapping[str, Tensor], batch: Batch) -> dict[str, Tensor]:
    """Return each target's loss."""
    parts = {}
    for part in network.plan.targets:
        output, weights = outputs[part.column], batch.weights.get(part.column)
        own = head_for(part.shape).loss(output, batch.truth[part.column], weights)
        answers = batch.truth.get(taught(part.column))
        parts[part.column] = own if answers is None else (1 - SHARE) * own + SHARE * _as_taught(output, answers)
    return parts


def _as_taught(output: Tensor, answers: Tensor) -> Tensor:
    """Return how far ``output (row, member, …)`` is from ``answers (row, class)`` or ``(row,)``."""
    if answers.ndim == 1:
        return (output.squeeze(-1) - answers.unsqueeze(1)).square().mean()
    return -(answers.unsqueeze(1) * output.log_softmax(dim=-1)).sum(-1).mean()
