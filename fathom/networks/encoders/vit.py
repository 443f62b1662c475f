"""A grid to tokens by attention among its patches.

Why it exists: every patch may look at every other from the first layer on, which convolutions learn only by depth; it needs more rows than they do. Source: Dosovitskiy et
al., "An Image is Worth 16x16 Words", ICLR 2021, section 3.1 (https://arxiv.org/abs/2010.11929), with the mean of the patches instead of a class token and a front of small
convolutions instead of one large patch (Xiao et al., "Early Convolutions Help Transformers See Better", NeurIPS 2021, section 4, https://arxiv.org/abs/2106.14881).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fathom.networks.attention import Block
from fathom.networks.encoders.contract import Features
from fathom.networks.encoders.pixels import Pixels
from fathom.shapes import Part, Shape

NAME = "vit"
READS: Shape = "grid"
SUMMARY = "attention among patches"
SOURCE = "https://arxiv.org/abs/2010.11929"

MOST_PATCHES_A_SIDE = 8


@dataclass(frozen=True)
class Options:
    """``layers`` blocks of ``heads`` heads over patches of ``width`` numbers, with ``between`` times as many units inside; the answer is ``tokens`` tokens."""

    width: int = 96
    layers: int = 4
    heads: int = 4
    tokens: int = 8
    dropout: float = 0.1
    between: float = 3.0


class ViT(nn.Module):
    """Maps ``grid (row, channel, height, width)`` of bytes to ``tokens (row, token, width)``."""

    def __init__(self, options: Options, part: Part, width: int) -> None:
        super().__init__()
        self.tokens = options.tokens
        self.pixels = Pixels(part)
        channels, high, wide = part.size
        halvings = max(1, math.ceil(math.log2(max(high, wide) / MOST_PATCHES_A_SIDE)))
        steps: list[nn.Module] = []
        for _ in range(halvings - 1):
            steps += [nn.Conv2d(channels, options.width // 2, 3, 2, padding=1, bias=False)]
            steps += [nn.BatchNorm2d(options.width // 2), nn.ReLU()]
            channels = options.width // 2
            high, wide = (high + 1) // 2, (wide + 1) // 2
        self.front = nn.Sequential(*steps, nn.Conv2d(channels, options.width, 3, 2, padding=1))
        patches = ((high + 1) // 2) * ((wide + 1) // 2)
        self.places = nn.Parameter(torch.randn(patches, options.width) * 0.02)
        self.layers = nn.ModuleList(
            Block(options.width, options.heads, options.dropout, options.between) for _ in range(options.layers)
        )
        self.norm = nn.LayerNorm(options.width)
        self.out = nn.Linear(options.width, options.tokens * width)

    @property
    def stages(self) -> Mapping[str, nn.Module]:
        """The modules whose outputs show what is learned."""
        return {"front": self.front, **{f"layer {i}": layer for i, layer in enumerate(self.layers, 1)}, "out": self.out}

    def forward(self, grid: Tensor) -> Features:
        """Map ``(row, channel, height, width)`` to :class:`Features`."""
        picture = self.front(self.pixels(grid))
        patches = picture.flatten(2).transpose(1, 2) + self.places
        for layer in self.layers:
            patches = layer(patches, None)
        mean = torch.mean(self.norm(patches), dim=1)
        return Features(self.out(mean).unflatten(1, (self.tokens, -1)), None, (picture,))


def build(options: Options, parts: Sequence[Part], width: int) -> nn.Module:
    """Return the module from a grid of bytes to tokens of ``width``."""
    return ViT(options, parts[0], width).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
