"""Makes of every sequence network an encoder of ``codes`` and one of ``vectors``: what is around it is the same for all.

Codes are looked up in a table of learned vectors, vectors go through a layer; the network reads the steps; their mean and their maximum over the steps that are there
become the tokens.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import torch
from torch import Tensor, nn

from fathom.networks.encoders.contract import Encoder, Features
from fathom.networks.encoders.deep import known_steps
from fathom.networks.sequences.contract import SequenceModule, SequenceNetwork
from fathom.shapes import RAGGED, Part, Shape

NEVER = -1e4  # lower than anything that a network says of a step


class Looked(nn.Module):
    """Looks up ``codes (row, step)`` in a table of learned vectors; in training some steps are left out."""

    def __init__(self, part: Part, width: int, dropout: float) -> None:
        super().__init__()
        self.table = nn.Embedding(part.codes, width)
        nn.init.normal_(self.table.weight, std=width**-0.5)
        self.dropout = nn.Dropout1d(dropout)

    def forward(self, codes: Tensor) -> Tensor:
        """Map ``(row, step)`` to ``(row, step, width)``."""
        steps: Tensor = self.dropout(self.table(codes))
        return steps


class Measured(nn.Module):
    """Maps ``vectors (row, step, channel)`` to steps of a width by a layer."""

    def __init__(self, part: Part, width: int, dropout: float) -> None:
        super().__init__()
        self.layer = nn.Linear(part.size[1], width)

    def forward(self, vectors: Tensor) -> Tensor:
        """Map ``(row, step, channel)`` to ``(row, step, width)``."""
        steps: Tensor = self.layer(vectors)
        return steps


class Gathered(nn.Module):
    """Gathers steps into their mean and their maximum over those that are there, and these into tokens."""

    def __init__(self, before: int, tokens: int, width: int, dropout: float) -> None:
        super().__init__()
        self.tokens = tokens
        self.norm = nn.LayerNorm(2 * before)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(2 * before, tokens * width)

    def forward(self, steps: Tensor, known: Tensor) -> Tensor:
        """Map ``(row, step, before)`` to ``(row, token, width)``."""
        there = known.unsqueeze(-1)
        mean = torch.where(there, steps, 0.0).sum(1) / there.sum(1).clamp(min=1)
        highest = torch.where(there, steps, NEVER).amax(1)
        gathered: Tensor = self.out(self.dropout(self.norm(torch.cat([mean, highest], 1))))
        return gathered.reshape(-1, self.tokens, gathered.shape[1] // self.tokens)


class Reader(nn.Module):
    """Maps ``codes (row, step)`` or ``vectors (row, step, channel)`` to ``tokens (row, token, width)`` through a sequence network."""

    def __init__(self, network: SequenceNetwork, options: Any, part: Part, width: int) -> None:
        super().__init__()
        self.tokens = int(options.tokens)
        stem = Looked if part.shape == "codes" else Measured
        self.steps = stem(part, options.width, options.dropout)
        self.network: SequenceModule = network.build(options)  # type: ignore[assignment]
        self.out = Gathered(self.network.width, self.tokens, width, options.dropout)

    @property
    def stages(self) -> Mapping[str, nn.Module]:
        """The modules whose outputs show what is learned."""
        return {"steps": self.steps, **self.network.stages, "out": self.out}

    def forward(self, values: Tensor) -> Features:
        """Map an array to :class:`Features`."""
        known = known_steps(values)
        return Features(self.out(self.network(self.steps(values), known), known))


@dataclass
class ReadingEncoder:
    """An encoder, as `fathom.networks.encoders.contract` wants it, of one shape through one sequence network."""

    NAME: str
    READS: Shape
    SUMMARY: str
    SOURCE: str
    Options: type[Any]
    network: SequenceNetwork

    def build(self, options: Any, parts: Sequence[Part], width: int) -> nn.Module:
        """Return the module from the array of the part to tokens of ``width``."""
        return Reader(self.network, options, parts[0], width)


def encoders_of(networks: Sequence[SequenceNetwork]) -> tuple[Encoder, ...]:
    """Return an encoder of each ragged shape for each network.

    >>> from fathom.networks.sequences import SEQUENCES
    >>> [(encoder.NAME, encoder.READS) for encoder in encoders_of(SEQUENCES[:1])]
    [('cnn', 'codes'), ('cnn', 'vectors')]
    """
    return tuple(
        ReadingEncoder(network.NAME, shape, network.SUMMARY, network.SOURCE, network.Options, network)
        for network in networks
        for shape in get_args(Shape)
        if shape in RAGGED
    )
