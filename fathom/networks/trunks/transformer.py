"""The Transformer over columns: every column's token looks at every other's, layer by layer.

Why it exists: which columns matter to each other depends on the row, and attention decides it row by row. Source: Vaswani et al.,
"Attention Is All You Need", NeurIPS 2017 (https://arxiv.org/abs/1706.03762); over the columns of a table: Gorishniy et al., "Revisiting Deep Learning
Models for Tabular Data", NeurIPS 2021, section 3.3, the FT-Transformer (https://arxiv.org/abs/2106.11959): pre-normalised, with a summary token. Written
from the papers.
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from fathom.networks.attention import Block
from fathom.networks.encoders.contract import Features
from fathom.networks.trunks.contract import Summary

NAME = "transformer"
SUMMARY = "attention between the columns"
SOURCE = "https://arxiv.org/abs/2106.11959"


@dataclass(frozen=True)
class Options:
    """``layers`` blocks of ``heads`` attention heads; ``width`` is a token's inside the trunk, a multiple of ``heads``."""

    layers: int = 3
    width: int = 96
    heads: int = 8
    dropout: float = 0.1


class ColumnTransformer(nn.Module):
    """Maps ``tokens (row, token, width)`` to a summary of one member: the summary token after the last block."""

    members = 1

    def __init__(self, options: Options, width: int) -> None:
        super().__init__()
        self.width = options.width
        self.widen = nn.Linear(width, options.width)
        self.summary = nn.Parameter(torch.randn(options.width) * options.width**-0.5)
        self.blocks = nn.ModuleList(Block(options.width, options.heads, options.dropout) for _ in range(options.layers))
        self.norm = nn.LayerNorm(options.width)

    def forward(self, features: Features) -> Summary:
        """Map tokens to ``vector (row, 1, width)``."""
        tokens = self.widen(features.tokens)
        tokens = torch.cat([self.summary.expand(tokens.shape[0], 1, -1), tokens], dim=1)
        mask = features.mask
        if mask is not None:
            mask = functional.pad(mask, (1, 0), value=True)
        for block in self.blocks:
            tokens = block(tokens, mask)
        return Summary(torch.relu(self.norm(tokens[:, :1])), features)


def build(options: Options, tokens: int, width: int) -> nn.Module:
    """Return the trunk for tokens of ``width``; any number of tokens fits."""
    return ColumnTransformer(options, width)
