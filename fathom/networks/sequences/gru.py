"""Gated recurrent units, in both directions: gates decide how much of the memory a step replaces.

::

    reset[t]  = sigmoid(W_r step[t] + U_r state[t - 1] + b_r)
    update[t] = sigmoid(W_z step[t] + U_z state[t - 1] + b_z)
    new[t]    = tanh(W_n step[t] + b_n + reset[t] * (U_n state[t - 1] + c_n))
    state[t]  = update[t] * state[t - 1] + (1 - update[t]) * new[t]

Why it exists: it remembers as far as an LSTM in many tasks, with a quarter fewer weights. Source: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder for
Statistical Machine Translation", EMNLP 2014, section 2.3 (https://arxiv.org/abs/1406.1078).
"""

from dataclasses import dataclass

from torch import Tensor, nn

from fathom.networks.sequences.both_ways import BothWays

NAME = "gru"
SUMMARY = "gated recurrent units, read from both ends"
SOURCE = "https://arxiv.org/abs/1406.1078"


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
        self.cell = nn.GRU(before, width, batch_first=True)

    def forward(self, steps: Tensor) -> Tensor:
        """Map ``(row, step, before)`` to ``(row, step, width)``."""
        states: Tensor = self.cell(steps)[0]
        return states


def build(options: Options) -> nn.Module:
    """Return the module from ``(row, step, width)`` to ``(row, step, 2 state)``."""
    return BothWays(OneWay, options.width, options.state, options.layers, options.dropout)
