"""A grid to tokens by neurons that send spikes: the picture stands before them for a few moments, and how often they send is the answer.

Why it exists: as `fathom.networks.encoders.spiking`, for pictures. The first layer turns pixels into currents that stay the same while the neurons behind it add them up ("direct coding": Rathi
and Roy, "DIET-SNN", IEEE TNNLS 34(6), 2023, https://arxiv.org/abs/2008.03658); neurons, learning and costs stand in `fathom.networks.spikes`, after Neftci, Mostafa and Zenke, 2019
(https://arxiv.org/abs/1901.09948).
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fathom.networks.encoders.contract import Features
from fathom.networks.encoders.pixels import Pixels
from fathom.networks.spikes import COARSE, Neurons, PlaceSynapses, rounded
from fathom.shapes import Part, Shape

NAME = "spiking"
READS: Shape = "grid"
SUMMARY = "neurons that add up and send spikes"
SOURCE = "https://arxiv.org/abs/1901.09948"


@dataclass(frozen=True)
class Options:
    """``layers`` of 3 × 3 neighbours, the first of ``width`` neurons at each place, each further one of twice as many at half the places; a picture stands for ``moments``."""

    layers: int = 3
    width: int = 32
    moments: int = 4
    leak: float = 0.75
    tokens: int = 8
    dropout: float = 0.2


class SpikingGrid(nn.Module):
    """Maps ``grid (row, channel, height, width)`` of bytes to ``tokens (row, token, width)``."""

    def __init__(self, options: Options, part: Part, width: int) -> None:
        super().__init__()
        self.tokens, self.count = options.tokens, options.moments
        self.pixels = Pixels(part)
        widths = [part.size[0], *(options.width * 2**layer for layer in range(options.layers))]
        self.synapses = nn.ModuleList(
            PlaceSynapses(before, after, options.moments if number else 1, 2.0 if number else 1.0)
            for number, (before, after) in enumerate(itertools.pairwise(widths))
        )
        self.neurons = nn.ModuleList(Neurons(options.leak) for _ in range(options.layers))
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        self.dropout = nn.Dropout(options.dropout)
        self.out = nn.Linear(widths[-1], options.tokens * width)

    @property
    def stages(self) -> Mapping[str, nn.Module]:
        """The modules whose outputs show what is learned."""
        layers = {f"spikes {number}": layer for number, layer in enumerate(self.neurons, 1)}
        return {"currents": self.synapses[0], **layers, "out": self.out}

    def forward(self, grid: Tensor) -> Features:
        """Map ``(row, channel, height, width)`` to :class:`Features`."""
        still = self.synapses[0](rounded(self.pixels(grid), COARSE)).unsqueeze(1)
        currents = still.expand(-1, self.count, -1, -1, -1)
        maps = []
        for number, neurons in enumerate(self.neurons):
            spikes = neurons(currents).flatten(0, 1)  # (row · moment, neuron, height, width)
            spikes = self.pool(spikes)
            maps.append(spikes.unflatten(0, (-1, self.count)).mean(1))
            if number + 1 < len(self.neurons):
                currents = self.synapses[number + 1](spikes).unflatten(0, (-1, self.count))
        rates = torch.mean(maps[-1], dim=(2, 3))
        return Features(self.out(self.dropout(rates)).unflatten(1, (self.tokens, -1)), None, tuple(maps))


def build(options: Options, parts: Sequence[Part], width: int) -> nn.Module:
    """Return the module from a grid of bytes to tokens of ``width``."""
    return SpikingGrid(options, parts[0], width)
