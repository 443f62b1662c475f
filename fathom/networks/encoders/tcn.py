"""Vectors to tokens by convolutions over time: each layer looks twice as far as the one before.

Why it exists: it reads a whole series at once, far back with few layers, and trains faster than a recurrent network. Source: Bai, Kolter and Koltun, "An Empirical Evaluation
of Generic Convolutional and Recurrent Networks for Sequence Modeling", 2018, section 3 (https://arxiv.org/abs/1803.01271). Ours looks both ways, since a series
that is classified is there as a whole, and gathers its steps by their mean and maximum. Either a channel is normalised over the batch (Ioffe and Szegedy, ICML 2015,
https://arxiv.org/abs/1502.03167), or a step over its channels (Ba, Kiros and Hinton, 2016, https://arxiv.org/abs/1607.06450): what remains of a step is then its shape, whichever the loudness,
which tells of the many bands of a recording, and loses how high a series of few channels goes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fathom.networks.encoders.contract import Features
from fathom.networks.encoders.deep import known_steps
from fathom.shapes import Part, Shape

NAME = "tcn"
READS: Shape = "vectors"
SUMMARY = "convolutions over time, each layer looking twice as far"
SOURCE = "https://arxiv.org/abs/1803.01271"


@dataclass(frozen=True)
class Options:
    """``layers`` residual blocks of ``width`` channels with kernels of ``kernel`` steps; the answer is ``tokens`` tokens. ``per_step`` normalises a step over its channels, not a channel over the batch."""

    layers: int = 5
    width: int = 64
    kernel: int = 5
    tokens: int = 8
    dropout: float = 0.1
    per_step: bool = False


class StepNorm(nn.LayerNorm):
    """Normalises each step over its channels."""

    def forward(self, steps: Tensor) -> Tensor:
        """Map ``(row, channel, step)`` to the same shape."""
        return super().forward(steps.transpose(1, 2)).transpose(1, 2)


class Block(nn.Module):
    """Two convolutions over time, added to what came in; steps that are not there stay zero."""

    def __init__(self, options: Options, dilation: int) -> None:
        super().__init__()
        reach = dilation * (options.kernel - 1) // 2
        self.norm = StepNorm(options.width) if options.per_step else nn.BatchNorm1d(options.width)
        self.wide = nn.Conv1d(options.width, options.width, options.kernel, padding=reach, dilation=dilation)
        self.narrow = nn.Conv1d(options.width, options.width, 1)
        self.dropout = nn.Dropout1d(options.dropout)

    def forward(self, steps: Tensor, known: Tensor) -> Tensor:
        """Map ``(row, channel, step)`` to the same shape; ``known (row, 1, step)`` is 1 where a step is."""
        normal = self.norm(steps) * known
        heard: Tensor = self.narrow(torch.relu(self.wide(normal)))
        added: Tensor = (steps + self.dropout(heard)) * known
        return added


class TemporalConvolutions(nn.Module):
    """Maps ``vectors (row, step, channel)``, whose channel 0 is 1 where a step is, to ``tokens (row, token, width)``."""

    unit_axis = 1  # of what the stages make: (row, unit, step)

    def __init__(self, options: Options, part: Part, width: int) -> None:
        super().__init__()
        self.tokens = options.tokens
        self.first = nn.Conv1d(part.size[1], options.width, options.kernel, padding=options.kernel // 2)
        self.blocks = nn.ModuleList(Block(options, 2**layer) for layer in range(options.layers))
        self.out = nn.Linear(2 * options.width, options.tokens * width)

    @property
    def stages(self) -> Mapping[str, nn.Module]:
        """The modules whose outputs show what is learned."""
        blocks = {f"block {layer}": block for layer, block in enumerate(self.blocks, 1)}
        return {"first": self.first, **blocks, "out": self.out}

    def forward(self, vectors: Tensor) -> Features:
        """Map ``(row, step, channel)`` to :class:`Features`."""
        known = known_steps(vectors).unsqueeze(1).to(vectors.dtype)  # (row, 1, step)
        steps = self.first(vectors.transpose(1, 2)) * known
        for block in self.blocks:
            steps = block(steps, known)
        mean = steps.sum(2) / known.sum(2).clamp(min=1)
        highest = torch.where(known > 0, steps, -1e4).amax(2)
        return Features(self.out(torch.cat([mean, highest], 1)).unflatten(1, (self.tokens, -1)))


def build(options: Options, parts: Sequence[Part], width: int) -> nn.Module:
    """Return the module from ``(row, step, channel)`` vectors to tokens of ``width``."""
    return TemporalConvolutions(options, parts[0], width)
