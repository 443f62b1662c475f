"""Recurrent layers that read a sequence from both of its ends: Schuster and Paliwal, "Bidirectional Recurrent Neural Networks", IEEE TSP 45(11), 1997.

The second direction starts at a row's own last step, not at the padding after it: each row's known steps are turned round in their places. So no packed sequence
is needed, which ONNX does not know, and padding comes after all that is looked at.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

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


@dataclass(frozen=True)
class Operator:
    """What ONNX calls a recurrent layer: its name, the blocks of torch's weights in the order in which it wants them, and its attributes besides ``hidden_size``."""

    name: str
    order: tuple[int, ...]
    attributes: Mapping[str, int] = field(default_factory=dict)


class States(nn.Module):
    """One of torch's recurrent layers from the first step to the last: the state after every step, and nothing else.

    As ONNX it is one node, ``operator``. Left to torch, the exporter would walk through every step of a layer before it finds that out.
    """

    def __init__(self, cell: nn.RNNBase, operator: Operator) -> None:
        super().__init__()
        self.cell, self.operator = cell, operator

    def forward(self, steps: Tensor) -> Tensor:
        """Map ``(row, step, before)`` to ``(row, step, width)``."""
        if torch.onnx.is_in_onnx_export():
            return self.as_node(steps)
        states: Tensor = self.cell(steps)[0]
        return states

    def as_node(self, steps: Tensor) -> Tensor:
        """Return what stands for the layer in a graph that is being exported: https://onnx.ai/onnx/operators/onnx__GRU.html and its neighbours."""
        weights = {name: self.ordered(weight) for name, weight in self.cell.named_parameters()}
        biases = torch.cat([weights["bias_ih_l0"], weights["bias_hh_l0"]])
        width = self.cell.hidden_size
        found = torch.onnx.ops.symbolic(
            self.operator.name,
            (
                steps.transpose(0, 1),
                weights["weight_ih_l0"].unsqueeze(0),
                weights["weight_hh_l0"].unsqueeze(0),
                biases.unsqueeze(0),
            ),
            {"hidden_size": width, **self.operator.attributes},
            dtype=steps.dtype,
            shape=(steps.shape[1], 1, steps.shape[0], width),  # (step, direction, row, width)
        )
        return found[:, 0].transpose(0, 1)

    def ordered(self, weight: Tensor) -> Tensor:
        """Return a weight or a bias with its blocks in ONNX's order."""
        width = self.cell.hidden_size
        order = self.operator.order
        return torch.cat([weight[place * width : (place + 1) * width] for place in order]) if len(order) > 1 else weight


class GatedStates(States):
    """A recurrent layer with gates: the one, number ``gate`` of the weights' blocks, that lets a step in, or, ``inverted``, keeps it out."""

    def __init__(self, cell: nn.RNNBase, operator: Operator, gate: int, inverted: bool = False) -> None:
        super().__init__(cell, operator)
        self.gate, self.inverted = gate, inverted

    def opened(self, steps: Tensor) -> Tensor:
        """Return how far the gate lets each step in, ``(row, step, 1)`` from 0 to 1, the mean over the states."""
        states = self(steps)
        before = torch.cat([torch.zeros_like(states[:, :1]), states[:, :-1]], 1)
        own = slice(self.gate * states.shape[2], (self.gate + 1) * states.shape[2])
        weights = {name: weight[own] for name, weight in self.cell.named_parameters()}
        level = functional.linear(steps, weights["weight_ih_l0"], weights["bias_ih_l0"])
        level = level + functional.linear(before, weights["weight_hh_l0"], weights["bias_hh_l0"])
        return (-level if self.inverted else level).sigmoid().mean(2, keepdim=True)


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

    NOTICES = "gate"

    def __init__(self, one_way: OneWay, before: int, width: int) -> None:
        super().__init__()
        self.forwards, self.backwards = one_way(before, width), one_way(before, width)

    def forward(self, steps: Tensor, known: Tensor) -> Tensor:
        """Map ``(row, step, before)`` to ``(row, step, 2 width)``."""
        return torch.cat([self.forwards(steps), turned(self.backwards(turned(steps, known)), known)], 2)

    def noticed(self, steps: Tensor, known: Tensor) -> Tensor | None:
        """Return how far the gates of both directions let each step in, ``(row, step)`` from 0 to 1; ``None`` of a layer without gates."""
        if not isinstance(self.forwards, GatedStates) or not isinstance(self.backwards, GatedStates):
            return None
        both = self.forwards.opened(steps) + turned(self.backwards.opened(turned(steps, known)), known)
        return torch.where(known, both.squeeze(2) / 2, 0.0)


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
