"""Predict the target columns: the sum of the heads' losses, each standardised by its own encoding.

A number's loss is measured in units of its spread and a category's in nats, so several targets weigh alike without a setting.
Source: maximum likelihood, Bishop, "Pattern Recognition and Machine Learning", 2006, sections 1.5.5 and 4.3.4.
"""

import torch
from torch import Tensor

from fathom.networks.heads import head_for
from fathom.networks.network import Network
from fathom.training.batching import Batch

NAME = "predict"
SUMMARY = "predict the target columns"
SOURCE = "Bishop, Pattern Recognition and Machine Learning, 2006, sections 1.5.5 and 4.3.4"


def loss(network: Network, batch: Batch, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the summed loss of all targets, and each target's."""
    outputs = network(batch.inputs)
    parts = {
        part.column: head_for(part.shape).loss(
            outputs[part.column], batch.truth[part.column], batch.weights.get(part.column)
        )
        for part in network.plan.targets
    }
    if batch.mixed is not None:  # of two rows at once, the loss is that of both, by their shares
        other = batch.take(batch.mixed.rows)
        for part in network.plan.targets:
            loss_of_other = head_for(part.shape).loss(
                outputs[part.column], other.truth[part.column], other.weights.get(part.column)
            )
            parts[part.column] = batch.mixed.share * parts[part.column] + (1 - batch.mixed.share) * loss_of_other
    return torch.stack(list(parts.values())).sum(), parts
