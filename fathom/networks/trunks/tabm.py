"""TabM: an ensemble of perceptrons that share their weights, trained as one network.

Why it exists: members that each see the row scaled differently make different errors, and their mean is better than any of them,
at little more than the cost of one. Source: Gorishniy, Kotelnikov and Babenko, "TabM: Advancing Tabular Deep Learning with
Parameter-Efficient Ensembling", ICLR 2025, section 3 (https://arxiv.org/abs/2410.24210); the shared layer is BatchEnsemble's: Wen, Tran and
Ba, ICLR 2020 (https://arxiv.org/abs/2002.06715); more than eight layers: `residual`. Written from the papers; the authors' package (Apache-2.0) is the second opinion in our tests.
"""

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fathom.networks.encoders.contract import Features
from fathom.networks.trunks.contract import Summary
from fathom.networks.trunks.residual import is_residual, residual_layers

NAME = "tabm"
SUMMARY = "ensemble of perceptrons with shared weights"
SOURCE = "https://arxiv.org/abs/2410.24210"


@dataclass(frozen=True)
class Options:
    """``members`` perceptrons of ``layers`` hidden layers of ``width`` units; units are left out with probability ``dropout``.

    ``skip``: whether each layer adds to a normalised copy of what came before; ``None`` decides by the number of layers.
    """

    members: int = 16
    layers: int = 2
    width: int = 256
    dropout: float = 0.1
    skip: bool | None = None


class SharedLinear(nn.Module):
    """One weight matrix for all members, which differ by a scale on every input, a scale on every output and an offset.

    Maps ``(row, member, inputs)`` to ``(row, member, outputs)``: ``((x * scale_in) @ weight) * scale_out + offset``.
    """

    def __init__(self, members: int, inputs: int, outputs: int, scale_in: Tensor) -> None:
        super().__init__()
        bound = inputs**-0.5
        self.weight = nn.Parameter(torch.empty(inputs, outputs).uniform_(-bound, bound))
        self.scale_in = nn.Parameter(scale_in)
        self.scale_out = nn.Parameter(torch.ones(members, outputs))
        self.offset = nn.Parameter(torch.empty(outputs).uniform_(-bound, bound).repeat(members, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(row, member or 1, inputs)`` to ``(row, member, outputs)``."""
        return torch.addcmul(self.offset, (x * self.scale_in) @ self.weight, self.scale_out)


class Ensemble(nn.Module):
    """Maps ``tokens (row, token, width)`` to a summary of ``members`` vectors."""

    def __init__(self, options: Options, tokens: int, width: int) -> None:
        super().__init__()
        self.members, self.width = options.members, options.width
        # The members start apart only here (paper, section 3.3): each scales every token by a random number of its own.
        apart = torch.randn(options.members, tokens).repeat_interleave(width, dim=1)
        sizes = [tokens * width, *[options.width] * options.layers]
        shared: list[nn.Module] = [
            SharedLinear(options.members, inputs, outputs, apart if layer == 0 else torch.ones(options.members, inputs))
            for layer, (inputs, outputs) in enumerate(itertools.pairwise(sizes))
        ]
        if is_residual(options.layers, options.skip):
            self.layers = residual_layers(shared, options.width, options.dropout)
        else:
            steps = [[layer, nn.ReLU(), nn.Dropout(options.dropout)] for layer in shared]
            self.layers = nn.Sequential(*itertools.chain.from_iterable(steps))

    def forward(self, features: Features) -> Summary:
        """Map tokens to ``vector (row, member, width)``."""
        flat = features.tokens.flatten(1).unsqueeze(1)  # (row, 1, token * width)
        return Summary(self.layers(flat), features)


def build(options: Options, tokens: int, width: int) -> nn.Module:
    """Return the trunk for ``tokens`` tokens of ``width``."""
    return Ensemble(options, tokens, width)
