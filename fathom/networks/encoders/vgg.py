"""A grid to tokens by stacked 3 × 3 convolutions, halved in size after every pair.

Why it exists: small kernels, many of them, see edges first, then corners and textures, then parts of things; the plainest network that reads images well. Source:
Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015, section 2 (https://arxiv.org/abs/1409.1556), with the batch
normalisation of Ioffe and Szegedy, ICML 2015 (https://arxiv.org/abs/1502.03167), and the mean of each map instead of wide layers at the end (Lin, Chen and Yan,
"Network in Network", ICLR 2014, section 3.2, https://arxiv.org/abs/1312.4400).
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fathom.networks.encoders.contract import Features
from fathom.networks.encoders.pixels import Pixels
from fathom.shapes import Part, Shape

NAME = "vgg"
READS: Shape = "grid"
SUMMARY = "pairs of 3 × 3 convolutions, halved in size after each"
SOURCE = "https://arxiv.org/abs/1409.1556"


@dataclass(frozen=True)
class Options:
    """``width`` maps after the first pair, twice as many after each of the further ``pairs``; the answer is ``tokens`` tokens."""

    width: int = 32
    pairs: int = 3
    tokens: int = 8


def convolution(inputs: int, outputs: int) -> nn.Sequential:
    """Return a 3 × 3 convolution, its normalisation and its ReLU."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


class VGG(nn.Module):
    """Maps ``grid (row, channel, height, width)`` of bytes to ``tokens (row, token, width)``."""

    def __init__(self, options: Options, part: Part, width: int) -> None:
        super().__init__()
        self.tokens = options.tokens
        self.pixels = Pixels(part)
        widths = [part.size[0], *(options.width * 2**pair for pair in range(options.pairs))]
        self.pairs = nn.ModuleList(
            nn.Sequential(convolution(before, after), convolution(after, after), nn.MaxPool2d(2, ceil_mode=True))
            for before, after in itertools.pairwise(widths)
        )
        self.out = nn.Linear(widths[-1], options.tokens * width)

    @property
    def stages(self) -> Mapping[str, nn.Module]:
        """The modules whose outputs show what is learned."""
        return {f"pair {pair}": module for pair, module in enumerate(self.pairs, 1)} | {"out": self.out}

    def forward(self, grid: Tensor) -> Features:
        """Map ``(row, channel, height, width)`` to :class:`Features`."""
        picture = self.pixels(grid)
        maps = []
        for pair in self.pairs:
            picture = pair(picture)
            maps.append(picture)
        mean = torch.mean(picture, dim=(2, 3))
        return Features(self.out(mean).unflatten(1, (self.tokens, -1)), None, tuple(maps))


def build(options: Options, parts: Sequence[Part], width: int) -> nn.Module:
    """Return the module from a grid of bytes to tokens of ``width``."""
    return VGG(options, parts[0], width).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
