"""A running mean of the weights: what training wanders around rather than where it stands.

Source: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", SIAM J. Control Optim. 30, 1992; as an exponential mean
with the start corrected like Adam's (Kingma and Ba, ICLR 2015, section 3, https://arxiv.org/abs/1412.6980).
"""

import contextlib
from collections.abc import Iterator

import torch
from torch import nn


class RunningMean:
    """Follows a network's weights with ``decay`` a step; with ``decay`` 0 it does nothing."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = [p.detach() for p in network.parameters()]
        self.means = [torch.zeros_like(p) for p in self.weights] if decay else []
        self.steps = 0

    def update(self) -> None:
        """Take the weights after a step into the mean."""
        if self.decay:
            torch._foreach_lerp_(self.means, self.weights, 1 - self.decay)
            self.steps += 1

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the mean in the weights' place for a while."""
        if not self.steps:  # no mean is wanted, or there is none yet
            yield
            return
        own = [p.clone() for p in self.weights]
        correction = 1 - self.decay**self.steps
        for weight, mean in zip(self.weights, self.means, strict=True):
            weight.copy_(mean / correction)
        try:
            yield
        finally:
            torch._foreach_copy_(self.weights, own)
