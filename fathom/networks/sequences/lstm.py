"""Long short-term memory, in both directions: a cell that changes only as far as its gates open.

::

    input[t], forget[t], output[t] = sigmoid(W step[t] + U state[t - 1] + b)     three gates, each with weights of its own
    new[t]   = tanh(W_n step[t] + U_n state[t - 1] + b_n)
    cell[t]  = forget[t] * cell[t - 1] + input[t] * new[t]
    state[t] = output[t] * tanh(cell[t])

Why it exists: the cell passes what it holds through many steps unchanged, and gradients back through as many, which the simple network cannot. Source: Hochreiter and Schmidhuber, "Long
Short-Term Memory", Neural Computation 9(8), 1997 (https://doi.org/10.1162/neco.1997.9.8.1735); the forget gate: Gers, Schmidhuber and Cummins, "Learning to Forget",
Neural Computation 12(10), 2000. It starts nearly open (a bias of 1), as Jozefowicz, Zaremba and Sutskever, ICML 2015, advise.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fathom.networks.sequences.both_ways import BothWays

NAME = "lstm"
SUMMARY = "long short-term memory, read from both ends"
SOURCE = "https://doi.org/10.1162/neco.1997.9.8.1735"


@dataclass(frozen=True)
class Options:
    """``layers`` of ``state`` numbers a direction over steps of ``width``; the answer is ``tokens`` tokens."""

    width: int = 64
    state: int = 64
    layers: int = 1
    tokens: int = 8
    dropout: float = 0.2


class OneWay(nn.Module):
    """One layer from the first step to the last."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.cell = nn.LSTM(before, width, batch_first=True)
        with torch.no_grad():
            dict(self.cell.named_parameters())["bias_ih_l0"][width : 2 * width] = (
                1.0  # the second of the four: the forget gate
            )

    def forward(self, steps: Tensor) -> Tensor:
        """Map ``(row, step, before)`` to ``(row, step, width)``."""
        states: Tensor = self.cell(steps)[0]
        return states


def build(options: Options) -> nn.Module:
    """Return the module from ``(row, step, width)`` to ``(row, step, 2 state)``."""
    return BothWays(OneWay, options.width, options.state, options.layers, options.dropout)
