"""Codes to tokens by a bag of words: the mean and the maximum of the steps' learned vectors, then a layer.

Why it exists: which words a text holds often says enough, it learns from few texts, and its cost is a look-up. The mean says what a text is about on the whole, the maximum that a telling word stands in it at all, however
long the text. Source: Joulin et al., "Bag of Tricks for Efficient Text Classification", EACL 2017, section 2 (https://arxiv.org/abs/1607.01759); the maximum beside the mean: Shen et al., "Baseline Needs More Love", ACL
2018, section 3.2, SWEM-concat (https://arxiv.org/abs/1805.09843).
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
SUMMARY = "the mean and the maximum of its codes' learned vectors"
SOURCE = "https://arxiv.org/abs/1805.09843"

SMALL = 0.02  # standard deviation of the vectors before anything is learned


@dataclass(frozen=True)
class Options:
    """A code's vector has ``width`` numbers; the answer is ``tokens`` tokens; steps are left out with probability ``dropout``."""

    width: int = 128
    tokens: int = 8
    dropout: float = 0.5


class Bag(nn.Module):
    """Maps ``codes (row, step)``, 0 where no step is, to ``tokens (row, token, width)``."""

    def __init__(self, options: Options, part: Part, width: int) -> None:
        super().__init__()
        self.tokens = options.tokens
        self.table = nn.Embedding(part.codes, options.width)
        nn.init.normal_(self.table.weight, std=SMALL)  # what a word says is soon all that was learned of it
        self.dropout = options.dropout
        self.norm = nn.LayerNorm(2 * options.width)
        self.out = nn.Linear(2 * options.width, options.tokens * width)

    @property
    def stages(self) -> Mapping[str, nn.Module]:
        """The modules whose outputs show what is learned."""
        return {"words": self.table, "mean and maximum": self.norm, "out": self.out}

    def forward(self, codes: Tensor) -> Features:
        """Map ``(row, step)`` to :class:`Features`."""
        known = known_steps(codes)
        if self.training:  # words are left out at random
            known = known & (torch.rand(known.shape, device=known.device) >= self.dropout)
        known = known.unsqueeze(-1)
        words = self.table(codes)
        mean = torch.where(known, words, 0.0).sum(1) / known.sum(1).clamp(min=1)
        highest = torch.where(known, words, -torch.inf).amax(1)
        highest = torch.where(known.any(1), highest, 0.0)
        return Features(self.out(self.norm(torch.cat([mean, highest], 1))).unflatten(1, (self.tokens, -1)))


def build(options: Options, parts: Sequence[Part], width: int) -> nn.Module:
    """Return the module from ``(row, step)`` codes to tokens of ``width``."""
    return Bag(options, parts[0], width)
