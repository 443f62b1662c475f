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

import torch
from torch import nn

from fathom.networks.sequences.both_ways import BothWays, GatedStates, Operator, RecurrentOptions

NAME = "lstm"
SUMMARY = "long short-term memory, read from both ends"
SOURCE = "https://doi.org/10.1162/neco.1997.9.8.1735"

OPERATOR = Operator("LSTM", (0, 3, 1, 2))  # torch: input, forget, new, output; ONNX: input, output, forget, new

Options = RecurrentOptions


def one_way(before: int, width: int) -> nn.Module:
    """Return one layer from the first step to the last, its forget gate nearly open."""
    cell = nn.LSTM(before, width, batch_first=True)
    with torch.no_grad():
        dict(cell.named_parameters())["bias_ih_l0"][width : 2 * width] = 1.0  # the second of the four gates
    return GatedStates(cell, OPERATOR, gate=0)  # the first of the four: the input gate


def build(options: RecurrentOptions) -> nn.Module:
    """Return the module from ``(row, step, width)`` to ``(row, step, 2 state)``."""
    return BothWays(one_way, options)
