"""A simple recurrent network, in both directions: what it knows after a step follows from the step and what it knew before.

::

    state[t] = tanh(W step[t] + U state[t - 1] + b)

Why it exists: it is the plainest network with a memory, and shows what the gates of GRU and LSTM are for: over many steps its gradient fades or bursts (Bengio, Simard and
Frasconi, "Learning Long-Term Dependencies with Gradient Descent is Difficult", IEEE TNN 5(2), 1994). Source: Elman, "Finding Structure in Time", Cognitive Science 14(2),
1990 (https://doi.org/10.1207/s15516709cog1402_1).
"""

from torch import nn

from fathom.networks.sequences.both_ways import BothWays, Operator, RecurrentOptions, States

NAME = "rnn"
SUMMARY = "a simple recurrent network, read from both ends"
SOURCE = "https://doi.org/10.1207/s15516709cog1402_1"

OPERATOR = Operator("RNN", (0,))

Options = RecurrentOptions


class TurningStates(States):
    """One layer from the first step to the last, whose state is first turned, neither shrunk nor stretched."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__(nn.RNN(before, width, batch_first=True), OPERATOR)
        nn.init.orthogonal_(dict(self.cell.named_parameters())["weight_hh_l0"])


def build(options: RecurrentOptions) -> nn.Module:
    """Return the module from ``(row, step, width)`` to ``(row, step, 2 state)``."""
    return BothWays(TurningStates, options)
