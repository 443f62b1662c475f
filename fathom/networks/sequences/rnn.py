"""A simple recurrent network, in both directions: what it knows after a step follows from the step and what it knew before.

::

    state[t] = tanh(W step[t] + U state[t - 1] + b)

Why it exists: it is the plainest network with a memory, and shows what the gates of GRU and LSTM are for: over many steps its gradient fades or bursts (Bengio, Simard and
Frasconi, "Learning Long-Term Dependencies with Gradient Descent is Difficult", IEEE TNN 5(2), 1994). Source: Elman, "Finding Structure in Time", Cognitive Science 14(2),
1990 (https://doi.org/10.1207/s15516709cog1402_1).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fathom.networks.sequences.both_ways import BothWays

NAME = "rnn"
SUMMARY = "a simple recurrent network, read from both ends"
SOURCE = "https://doi.org/10.1207/s15516709cog1402_1"


@dataclass(frozen=True)
class Options:
    """``layers`` of ``state`` numbers a direction over steps of ``width``; the answer is ``tokens`` tokens."""

    width: int = 64
    state: int = 64
    layers: int = 1
    tokens: int = 8
    dropout: float = 0.2


class OneWay(nn.Module):
    """One layer from the first step to the last. As ONNX it is one node, not one a step."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.cell = nn.RNN(before, width, batch_first=True)
        nn.init.orthogonal_(
            dict(self.cell.named_parameters())["weight_hh_l0"]
        )  # the state is turned, neither shrunk nor stretched

    def forward(self, steps: Tensor) -> Tensor:
        """Map ``(row, step, before)`` to ``(row, step, width)``."""
        cell = self.cell
        if not torch.onnx.is_in_onnx_export():
            states: Tensor = cell(steps)[0]
            return states
        before, own = cell.weight_ih_l0.unsqueeze(0), cell.weight_hh_l0.unsqueeze(0)  # type: ignore[operator]
        biases = torch.cat([cell.bias_ih_l0, cell.bias_hh_l0]).unsqueeze(0)  # type: ignore[list-item]
        size = (steps.shape[1], 1, steps.shape[0], cell.hidden_size)  # (step, direction, row, width)
        found = torch.onnx.ops.symbolic(
            "RNN",
            (steps.transpose(0, 1), before, own, biases),
            {"hidden_size": cell.hidden_size},
            dtype=steps.dtype,
            shape=size,
        )
        return found[:, 0].transpose(0, 1)


def build(options: Options) -> nn.Module:
    """Return the module from ``(row, step, width)`` to ``(row, step, 2 state)``."""
    return BothWays(OneWay, options.width, options.state, options.layers, options.dropout)
