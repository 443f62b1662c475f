"""The multilayer perceptron: all tokens side by side through layers of weighted sums and ReLU.

Why it exists: the plainest deep network, and the quickest to answer. Source: Rumelhart, Hinton and Williams, "Learning representations by
back-propagating errors", Nature 323, 1986 (https://doi.org/10.1038/323533a0); dropout: Srivastava et al., JMLR 15, 2014.
"""

from dataclasses import dataclass

from torch import nn

from fathom.networks.encoders.contract import Features
from fathom.networks.trunks.contract import Summary

NAME = "mlp"
SUMMARY = "multilayer perceptron"
SOURCE = "https://doi.org/10.1038/323533a0"


@dataclass(frozen=True)
class Options:
    """``layers`` hidden layers of ``width`` units; each unit is left out with probability ``dropout`` in training."""

    layers: int = 2
    width: int = 192
    dropout: float = 0.1


class Perceptron(nn.Module):
    """Maps ``tokens (row, token, width)`` to a summary of one member."""

    members = 1

    def __init__(self, options: Options, inputs: int) -> None:
        super().__init__()
        self.width = options.width
        layers: list[nn.Module] = []
        for _ in range(options.layers):
            layers += [nn.Linear(inputs, options.width), nn.ReLU(), nn.Dropout(options.dropout)]
            inputs = options.width
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Features) -> Summary:
        """Map tokens to ``vector (row, 1, width)``."""
        flat = features.tokens.flatten(1)  # (row, token * width)
        return Summary(self.layers(flat).unsqueeze(1), features)


def build(options: Options, tokens: int, width: int) -> nn.Module:
    """Return the trunk for ``tokens`` tokens of ``width``."""
    return Perceptron(options, tokens * width)
