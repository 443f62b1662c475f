"""Vectors to tokens by neurons that send spikes: what comes in is added up until it is enough, and only then is anything passed on.

Why it exists: a spike is an addition where other networks multiply, and where nothing happens nothing is computed; on chips made for it this takes a fraction of the energy. The neurons, how
they learn and what they cost stand in `fathom.networks.spikes`. Source: Neftci, Mostafa and Zenke, IEEE Signal Processing Magazine 36(6), 2019 (https://arxiv.org/abs/1901.09948). A series is
read at `MOST_MOMENTS` moments at most, each the mean of neighbouring steps; the tokens are made of how often each neuron sent in each stretch of the row.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fathom.networks.encoders.contract import Features
from fathom.networks.encoders.deep import known_steps
from fathom.networks.spikes import COARSE, Neurons, TimeSynapses, rounded
from fathom.shapes import Part, Shape

NAME = "spiking"
READS: Shape = "vectors"
SUMMARY = "neurons that add up and send spikes"
SOURCE = "https://arxiv.org/abs/1901.09948"

MOST_MOMENTS = 64


@dataclass(frozen=True)
class Options:
    """``layers`` of ``width`` neurons that hear ``kernel`` neighbouring moments, of whose voltage ``leak`` is left after one; rates are read in ``stretches`` of a row."""

    layers: int = 2
    width: int = 128
    kernel: int = 5
    leak: float = 0.75
    stretches: int = 4
    tokens: int = 8
    dropout: float = 0.2


class Spiking(nn.Module):
    """Maps ``vectors (row, step, channel)``, whose channel 0 is 1 where a step is, to ``tokens (row, token, width)``."""

    def __init__(self, options: Options, part: Part, width: int) -> None:
        super().__init__()
        self.tokens, self.stretches = options.tokens, options.stretches
        self.together = -(-part.size[0] // MOST_MOMENTS)  # steps in a moment
        widths = [part.size[1], *[options.width] * options.layers]
        self.synapses = nn.ModuleList(
            TimeSynapses(before, after, options.kernel) for before, after in itertools.pairwise(widths)
        )
        self.neurons = nn.ModuleList(Neurons(options.leak) for _ in range(options.layers))
        self.dropout = nn.Dropout(options.dropout)
        self.out = nn.Linear(options.width * options.stretches, options.tokens * width)

    @property
    def stages(self) -> Mapping[str, nn.Module]:
        """The modules whose outputs show what is learned."""
        layers = {f"spikes {number}": layer for number, layer in enumerate(self.neurons, 1)}
        return {"currents": self.synapses[0], **layers, "out": self.out}

    def forward(self, vectors: Tensor) -> Features:
        """Map ``(row, step, channel)`` to :class:`Features`."""
        sent, known = self.moments(vectors)  # (row, channel, moment), (row, 1, moment)
        for synapses, neurons in zip(self.synapses, self.neurons, strict=True):
            currents = synapses(sent) * known
            sent = neurons(currents.transpose(1, 2)).transpose(1, 2) * known
        # How often each neuron sent in each stretch of the row.
        moment = torch.arange(sent.shape[2], device=sent.device)
        lengths = known.sum(2).clamp(min=1.0)  # (row, 1)
        stretch = torch.floor(moment * self.stretches / lengths)  # (row, moment)
        rates = [
            (sent * (stretch == place).unsqueeze(1)).sum(2) * (self.stretches / lengths)
            for place in range(self.stretches)
        ]
        return Features(self.out(self.dropout(torch.cat(rates, 1))).unflatten(1, (self.tokens, -1)))

    def moments(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Return the means of neighbouring steps on a grid ``(row, channel, moment)``, and which moments are there ``(row, 1, moment)``."""
        there = known_steps(vectors)
        steps = rounded(vectors, COARSE)
        lacking = -vectors.shape[1] % self.together
        whole = nn.functional.pad(steps, (0, 0, 0, lacking))
        moments = whole.shape[1] // self.together  # the number of rows stays open: the graph of the bundle answers any
        steps = whole.reshape(-1, moments, self.together, whole.shape[2]).sum(2)
        count = nn.functional.pad(there.to(vectors.dtype), (0, lacking)).reshape(-1, moments, self.together).sum(2)
        means = rounded(steps / count.clamp(min=1.0).unsqueeze(2), COARSE)
        return means.transpose(1, 2), (count > 0).to(vectors.dtype).unsqueeze(1)


def build(options: Options, parts: Sequence[Part], width: int) -> nn.Module:
    """Return the module from ``(row, step, channel)`` vectors to tokens of ``width``."""
    return Spiking(options, parts[0], width)
