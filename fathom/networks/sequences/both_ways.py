"""Recurrent layers that read a sequence from both of its ends: Schuster and Paliwal, "Bidirectional Recurrent Neural Networks", IEEE TSP 45(11), 1997.

The second direction starts at a row's own last step, not at the padding after it: each row's known steps are turned round in their places. So no packed sequence
is needed, which ONNX does not know, and padding comes after all that is looked at.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

# From the widths before and after to a module (row, step, before) -> (row, step, after).
OneWay = Callable[[int, int], nn.Module]


@dataclass(frozen=True)
class RecurrentOptions:
    """``layers`` of ``state`` numbers a direction over steps of ``width``; the answer is ``tokens`` tokens."""

    width: int = 64
    state: int = 64
    layers: int = 1
    tokens: int = 8
    dropout: float = 0.2


class States(nn.Module):
    """One of torch's recurrent layers from the first step to the last: the state after every step, and nothing else."""

    def __init__(self, cell: nn.RNNBase) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, steps: Tensor) -> Tensor:
        """Map ``(row, step, before)`` to ``(row, step, width)``."""
        states: Tensor = self.cell(steps)[0]
        return states


def turned(steps: Tensor, known: Tensor) -> Tensor:
    """Return ``steps (row, step, width)`` with the known steps of each row, which come first, in reverse order.

    >>> turned(torch.tensor([[[1], [2], [3], [0]]]), torch.tensor([[True, True, True, False]])).flatten().tolist()
    [3, 2, 1, 0]
    """
    places = torch.arange(steps.shape[1], device=steps.device).unsqueeze(0)
    lengths = known.sum(1, keepdim=True)
    back = torch.where(places < lengths, lengths - 1 - places, places)  # (row, step)
    return torch.gather(steps, 1, back.unsqueeze(-1).expand(-1, -1, steps.shape[2]))


class Layer(nn.Module):
    """One recurrent layer a direction; what both say of a step stands side by side."""

    def __init__(self, one_way: OneWay, before: int, width: int) -> None:
        super().__init__()
        self.forwards, self.backwards = one_way(before, width), one_way(before, width)

    def forward(self, steps: Tensor, known: Tensor) -> Tensor:
        """Map ``(row, step, before)`` to ``(row, step, 2 width)``."""
        return torch.cat([self.forwards(steps), turned(self.backwards(turned(steps, known)), known)], 2)


class BothWays(nn.Module):
    """Layers of one kind on top of each other, with dropout between them."""

    def __init__(self, one_way: OneWay, options: RecurrentOptions) -> None:
        super().__init__()
        self.width = 2 * options.state
        widths = [options.width] + [self.width] * (options.layers - 1)
        self.layers = nn.ModuleList(Layer(one_way, each, options.state) for each in widths)
        self.dropout = nn.Dropout(options.dropout)

    @property
    def stages(self) -> Mapping[str, nn.Module]:
        """The layers."""
        return {f"layer {number}": layer for number, layer in enumerate(self.layers, 1)}

    def forward(self, steps: Tensor, known: Tensor) -> Tensor:
        """Map ``(row, step, before)`` to ``(row, step, 2 width)``."""
        for number, layer in enumerate(self.layers):
            steps = layer(self.dropout(steps) if number else steps, known)
        return steps
