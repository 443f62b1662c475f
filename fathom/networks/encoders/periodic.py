"""Scalars to tokens by learned sines and cosines, for answers that rise and fall many times.

Why it exists: networks learn slow curves first; with sines of several frequencies as inputs, fast ones become slow.
Source: Gorishniy, Rubachev and Babenko, "On Embeddings for Numerical Features in Tabular Deep Learning", NeurIPS 2022, section 3.3,
the "PLR" form: periodic, linear, ReLU (https://arxiv.org/abs/2203.05556). Written from the paper.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fathom.networks.encoders.contract import Features
from fathom.shapes import Part, Shape

NAME = "periodic"
READS: Shape = "scalar"
SUMMARY = "learned sines and cosines of a number"
SOURCE = "https://arxiv.org/abs/2203.05556"


@dataclass(frozen=True)
class Options:
    """How many frequencies a number has, and how far they spread at the start.

    ``spread`` is the standard deviation of the first frequencies, in cycles per unit of the encoded scalar; the paper tunes it
    between 0.01 and 10 (appendix E), and calls it the most important of its settings.
    """

    frequencies: int = 24
    spread: float = 0.1


class Periodic(nn.Module):
    """Embeds ``scalars (row, part)`` as ``tokens (row, part, width)``."""

    def __init__(self, options: Options, parts: Sequence[Part], width: int) -> None:
        super().__init__()
        self.frequency = nn.Parameter(options.spread * torch.randn(len(parts), options.frequencies))
        bound = (2 * options.frequencies) ** -0.5
        self.weight = nn.Parameter(torch.empty(len(parts), 2 * options.frequencies, width).uniform_(-bound, bound))
        self.offset = nn.Parameter(torch.empty(len(parts), width).uniform_(-bound, bound))

    def forward(self, scalars: Tensor) -> Features:
        """Map ``(row, part)`` to one token a part."""
        angle = 2 * math.pi * self.frequency * scalars.unsqueeze(-1)  # (row, part, frequency)
        waves = torch.cat([angle.sin(), angle.cos()], dim=-1)  # (row, part, 2 frequency)
        mixed = torch.bmm(waves.transpose(0, 1), self.weight).transpose(0, 1)  # (row, part, width)
        return Features(torch.relu(mixed + self.offset))


def build(options: Options, parts: Sequence[Part], width: int) -> nn.Module:
    """Return the module from ``(row, part)`` scalars to tokens of ``width``."""
    return Periodic(options, parts, width)
