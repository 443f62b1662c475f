"""A simple recurrent network, in both directions: what it knows after a step follows from the step and what it knew before.

::

    state[t] = tanh(W step[t] + U state[t - 1] + b)

Why it exists: it is the plainest network with a memory, and shows what the gates of GRU and LSTM are for: over many steps its gradient fades or bursts (Bengio, Simard and
Frasconi, "Learning Long-Term Dependencies with Gradient Descent is Difficult", IEEE TNN 5(2), 1994). Source: Elman, "Finding Structure in Time", Cognitive Science 14(2),
1990 (https://doi.org/10.1207/s15516709cog1402_1).
"""

import torch
from torch import Tensor, nn

from fathom.networks.sequences.both_ways import BothWays, RecurrentOptions, States

NAME = "rnn"
SUMMARY = "a simple recurrent network, read from both ends"
SOURCE = "https://doi.org/10.1207/s15516709cog1402_1"


Options = RecurrentOptions


class TurningStates(States):
    """One layer from the first step to the last, whose state is first turned, neither shrunk nor stretched. As ONNX it is one node, not one a step."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__(nn.RNN(before, width, batch_first=True))
        nn.init.orthogonal_(dict(self.cell.named_parameters())["weight_hh_l0"])

    def forward(self, steps: Tensor) -> Tensor:
        """Map ``(row, step, before)`` to ``(row, step, width)``."""
        if not torch.onnx.is_in_onnx_export():
            return super().forward(steps)
        weights = dict(self.cell.named_parameters())
        biases = torch.cat([weights["bias_ih_l0"], weights["bias_hh_l0"]])
        size = (steps.shape[1], 1, steps.shape[0], self.cell.hidden_size)  # (step, direction, row, width)
        found = torch.onnx.ops.symbolic(
            "RNN",
            (
                steps.transpose(0, 1),
                weights["weight_ih_l0"].unsqueeze(0),
                weights["weight_hh_l0"].unsqueeze(0),
                biases.unsqueeze(0),
            ),
            {"hidden_size": self.cell.hidden_size},
            dtype=steps.dtype,
            shape=size,
        )
        return found[:, 0].transpose(0, 1)


def build(options: RecurrentOptions) -> nn.Module:
    """Return the module from ``(row, step, width)`` to ``(row, step, 2 state)``."""
    return BothWays(TurningStates, options)
