"""Codes to tokens by a bag of words: the mean of the steps' learned vectors, then a layer.

Why it exists: which words a text holds often says enough, it learns from few texts, and its cost is a look-up. Source: Joulin et al., "Bag of Tricks for Efficient
Text Classification", EACL 2017, section 2 (https://arxiv.org/abs/1607.01759).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fathom.networks.encoders.contract import Features
from fathom.networks.encoders.deep import known_steps
from fathom.shapes import Part, Shape

NAME = "bag"
READS: Shape = "codes"
SUMMARY = "the mean of its codes' learned vectors"
SOURCE = "https://arxiv.org/abs/1607.01759"


@dataclass(frozen=True)
class Options:
    """A code's vector has ``width`` numbers; the answer is ``tokens`` tokens; steps are left out with probability ``dropout``."""

    width: int = 128
    tokens: int = 8
    dropout: float = 0.2


class Bag(nn.Module):
    """Maps ``codes (row, step)``, 0 where no step is, to ``tokens (row, token, width)``."""

    def __init__(self, options: Options, part: Part, width: int) -> None:
        super().__init__()
        self.tokens = options.tokens
        self.table = nn.Embedding(part.codes, options.width)
        nn.init.normal_(self.table.weight, std=options.width**-0.5)
        self.dropout = nn.Dropout1d(options.dropout)
        self.norm = nn.LayerNorm(options.width)
        self.out = nn.Linear(options.width, options.tokens * width)

    @property
    def stages(self) -> Mapping[str, nn.Module]:
        """The modules whose outputs show what is learned."""
        return {"words": self.table, "mean": self.norm, "out": self.out}

    def forward(self, codes: Tensor) -> Features:
        """Map ``(row, step)`` to :class:`Features`."""
        known = known_steps(codes).unsqueeze(-1)
        words = torch.where(known, self.dropout(self.table(codes)), 0.0)
        mean = words.sum(1) / known.sum(1).clamp(min=1)
        return Features(self.out(torch.relu(self.norm(mean))).unflatten(1, (self.tokens, -1)))


def build(options: Options, parts: Sequence[Part], width: int) -> nn.Module:
    """Return the module from ``(row, step)`` codes to tokens of ``width``."""
    return Bag(options, parts[0], width)
