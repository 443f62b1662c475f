"""The multilayer perceptron: all tokens side by side through layers of weighted sums and ReLU. Without a layer it is the perceptron: one weighted sum.

Why it exists: the plainest deep network, and the quickest to answer; and what one without depth comes to, to compare. Sources: Rosenblatt, "The perceptron", Psychological
Review 65(6), 1958 (https://doi.org/10.1037/h0042519), whose threshold is the head's here, learned from its gradient; Rumelhart, Hinton and Williams, "Learning representations by
back-propagating errors", Nature 323, 1986 (https://doi.org/10.1038/323533a0); dropout: Srivastava et al., JMLR 15, 2014; more than eight layers: `residual`.
"""

import itertools
from dataclasses import dataclass

from torch import nn

from fathom.networks.encoders.contract import Features
from fathom.networks.trunks.contract import Summary
from fathom.networks.trunks.residual import is_residual, residual_layers

NAME = "mlp"
SUMMARY = "multilayer perceptron"
SOURCE = "https://doi.org/10.1038/323533a0"


@dataclass(frozen=True)
class Options:
    """``layers`` hidden layers, none or more, of ``width`` units; each unit is left out with probability ``dropout`` in training.

    ``skip``: whether each layer adds to a normalised copy of what came before; ``None`` decides by the number of layers.
    """

    layers: int = 2
    width: int = 192
    dropout: float = 0.1
    skip: bool | None = None


class Perceptron(nn.Module):
    """Maps ``tokens (row, token, width)`` to a summary of one member."""

    members = 1

    def __init__(self, options: Options, inputs: int) -> None:
        super().__init__()
        self.width = options.width if options.layers else inputs
        sizes = [inputs, *[options.width] * options.layers]
        linear: list[nn.Module] = [nn.Linear(*pair) for pair in itertools.pairwise(sizes)]
        if linear and is_residual(options.layers, options.skip):
            self.layers = residual_layers(linear, options.width, options.dropout)
        else:
            steps = [[layer, nn.ReLU(), nn.Dropout(options.dropout)] for layer in linear]
            self.layers = nn.Sequential(*itertools.chain.from_iterable(steps))

    def forward(self, features: Features) -> Summary:
        """Map tokens to ``vector (row, 1, width)``."""
        flat = features.tokens.flatten(1)  # (row, token * width)
        return Summary(self.layers(flat).unsqueeze(1), features)


def build(options: Options, tokens: int, width: int) -> nn.Module:
    """Return the trunk for ``tokens`` tokens of ``width``."""
    return Perceptron(options, tokens * width)
