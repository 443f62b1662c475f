"""A running mean of the weights: what training wanders around rather than where it stands.

Source: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", SIAM J. Control Optim. 30, 1992; as an exponential mean
with the start corrected like Adam's (Kingma and Ba, ICLR 2015, section 3, https://arxiv.org/abs/1412.6980). The running statistics of batch normalisation are those of the weights that
training stands on; for their mean they are measured anew (Izmailov et al., "Averaging Weights Leads to Wider Optima", UAI 2018, section 3.2, https://arxiv.org/abs/1803.05407).
"""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from fathom.networks.network import Network
from fathom.training.batching import Batch

SETTLING_ROWS = 4_096  # from which running statistics are measured


class RunningMean:
    """Follows a network's weights with ``decay`` a step; with ``decay`` 0 it does nothing."""

    def __init__(self, network: Network, decay: float) -> None:
        self.network, self.decay = network, decay
        self.weights = [p.detach() for p in network.parameters() if p.requires_grad]
        self.means = [torch.zeros_like(p) for p in self.weights] if decay else []
        self.steps = 0

    def update(self) -> None:
        """Take the weights after a step into the mean."""
        if self.decay:
            torch._foreach_lerp_(self.means, self.weights, 1 - self.decay)
            self.steps += 1

    @contextlib.contextmanager
    def in_place(self, rows: Batch | None = None, batch_rows: int = 256) -> Iterator[None]:
        """Put the mean in the weights' place for a while, with the running statistics that it has on ``rows``, ``batch_rows`` at a time."""
        if not self.steps:  # no mean is wanted, or there is none yet
            yield
            return
        own = [p.clone() for p in self.weights]
        statistics = [buffer.clone() for buffer in self.network.buffers()]
        correction = 1 - self.decay**self.steps
        for weight, mean in zip(self.weights, self.means, strict=True):
            weight.copy_(mean / correction)
        if rows is not None:
            settle(self.network, rows, batch_rows)
        try:
            yield
        finally:
            torch._foreach_copy_(self.weights, own)
            for buffer, before in zip(self.network.buffers(), statistics, strict=True):
                buffer.copy_(before)


@torch.no_grad()
def settle(network: Network, rows: Batch, batch_rows: int) -> None:
    """Measure the running mean and variance of every batch normalisation that is learning on some rows, spread evenly, with nothing left out and nothing varied.

    Those of a reader that stays as it is keep what they were taught.
    """
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm) and module.training]
    if not norms:
        return
    training = network.training
    momenta = [norm.momentum for norm in norms]
    network.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over the batches
        norm.train()
    chosen = torch.linspace(0, rows.rows - 1, min(rows.rows, SETTLING_ROWS)).long()
    for some in _evenly(chosen, batch_rows):
        network.summary(rows.take(some).trimmed().inputs)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.train(training)


def _evenly(chosen: Tensor, batch_rows: int) -> list[Tensor]:
    """Part rows into batches of about the same size, each spread over all of them."""
    count = max(1, round(len(chosen) / batch_rows))
    return [chosen[first::count] for first in range(count)]
