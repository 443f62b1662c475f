"""Codes to tokens: every code of every column has a vector of its own, looked up and learned.

Why it exists: a category has no order, so the network learns where to put it. Source: Guo and Berkhahn, "Entity Embeddings of
Categorical Variables", 2016, section III (https://arxiv.org/abs/1604.06737). Ours: one table for all columns with an offset each, so
that one look-up serves the whole row.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fathom.networks.encoders.contract import Features
from fathom.shapes import Part, Shape

NAME = "embedding"
READS: Shape = "code"
SUMMARY = "one learned vector a code"
SOURCE = "https://arxiv.org/abs/1604.06737"


@dataclass(frozen=True)
class Options:
    """Nothing to choose."""


class Embedding(nn.Module):
    """Looks up ``codes (row, part)`` and returns ``tokens (row, part, width)``."""

    offsets: Tensor

    def __init__(self, parts: Sequence[Part], width: int) -> None:
        super().__init__()
        sizes = torch.tensor([part.codes for part in parts])
        self.register_buffer("offsets", torch.cumsum(sizes, 0) - sizes, persistent=False)
        self.table = nn.Embedding(int(sizes.sum()), width)
        nn.init.normal_(self.table.weight, std=width**-0.5)
        with torch.no_grad():
            # Code 0 (missing) and 1 (unseen) may never occur in training: at zero they say nothing until taught otherwise.
            reserved = torch.cat([self.offsets, self.offsets + 1])
            self.table.weight[reserved] = 0.0

    def forward(self, codes: Tensor) -> Features:
        """Map ``(row, part)`` to one token a part."""
        tokens: Tensor = self.table(codes.long() + self.offsets)
        return Features(tokens)


def build(options: Options, parts: Sequence[Part], width: int) -> nn.Module:
    """Return the module from ``(row, part)`` codes to tokens of ``width``."""
    return Embedding(parts, width)
