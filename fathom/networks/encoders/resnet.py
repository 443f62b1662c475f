"""A grid to tokens by residual blocks: each adds to what came before what two 3 × 3 convolutions make of it.

Why it exists: a block that has nothing to add learns to add nothing, so many of them train as easily as few. Source: He, Zhang, Ren and Sun, "Deep Residual Learning for
Image Recognition", CVPR 2016, sections 3.1 and 4.2, the network for small pictures (https://arxiv.org/abs/1512.03385). Two habits of later work: the last normalisation of a
block starts near zero, so that a block is almost the identity at first (Goyal et al., 2017, section 5.1, https://arxiv.org/abs/1706.02677), and large pictures are halved
by a few convolutions of stride 2 in front (He et al., "Bag of Tricks", CVPR 2019, section 4.2, https://arxiv.org/abs/1812.01187).
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fathom.networks.encoders.contract import Features
from fathom.networks.encoders.pixels import Pixels
from fathom.shapes import Part, Shape

NAME = "resnet"
READS: Shape = "grid"
SUMMARY = "residual blocks of 3 × 3 convolutions"
SOURCE = "https://arxiv.org/abs/1512.03385"

FIRST_SIDE = 14  # about how many places a side has in the first stage


@dataclass(frozen=True)
class Options:
    """``width`` maps in the first of ``stages``, twice as many in each further one, which has half the side; ``blocks`` in each, with ``between`` times as many maps inside; the answer is ``tokens`` tokens."""

    width: int = 32
    stages: int = 3
    blocks: int = 1
    tokens: int = 8
    between: float = 1.0


def normalised(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Return a 3 × 3 convolution and its normalisation."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False), nn.BatchNorm2d(outputs))


class Block(nn.Module):
    """Maps ``(row, inputs, height, width)`` to ``(row, outputs, height / stride, width / stride)``."""

    BETWEEN = ("first", "second.0")  # what makes maps that nothing else reads, and what reads them

    def __init__(self, inputs: int, outputs: int, stride: int, between: float = 1.0) -> None:
        super().__init__()
        inside = int(between * outputs)
        self.first, self.second = normalised(inputs, inside, stride), normalised(inside, outputs)
        nn.init.constant_(self.second[1].weight, 0.2)  # type: ignore[arg-type]
        self.short = (
            nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
            if stride > 1 or inputs != outputs
            else nn.Identity()
        )
        self.inside, self.relu = nn.ReLU(), nn.ReLU()  # two, since they see different numbers of maps

    def forward(self, picture: Tensor) -> Tensor:
        """Add to the picture what the block makes of it."""
        added = self.second(self.inside(self.first(picture)))
        result: Tensor = self.relu(self.short(picture) + added)
        return result


class ResNet(nn.Module):
    """Maps ``grid (row, channel, height, width)`` of bytes to ``tokens (row, token, width)``."""

    def __init__(self, options: Options, part: Part, width: int) -> None:
        super().__init__()
        self.tokens = options.tokens
        self.pixels = Pixels(part)
        halvings = max(0, round(math.log2(max(part.size[1:]) / FIRST_SIDE)))
        fronts = [part.size[0], *[max(16, options.width // 2)] * max(halvings - 1, 0), options.width]
        strides = [2] * halvings or [1]
        self.front = nn.Sequential(
            *(
                nn.Sequential(normalised(before, after, stride), nn.ReLU())
                for (before, after), stride in zip(itertools.pairwise(fronts), strides, strict=True)
            )
        )
        widths = [options.width, *(options.width * 2**stage for stage in range(options.stages))]
        self.stages_ = nn.ModuleList(
            nn.Sequential(
                Block(before, after, 1 if stage == 0 else 2, options.between),
                *(Block(after, after, 1, options.between) for _ in range(1, options.blocks)),
            )
            for stage, (before, after) in enumerate(itertools.pairwise(widths))
        )
        self.out = nn.Linear(widths[-1], options.tokens * width)

    @property
    def stages(self) -> Mapping[str, nn.Module]:
        """The modules whose outputs show what is learned."""
        return {
            "front": self.front,
            **{f"stage {i}": stage for i, stage in enumerate(self.stages_, 1)},
            "out": self.out,
        }

    def forward(self, grid: Tensor) -> Features:
        """Map ``(row, channel, height, width)`` to :class:`Features`."""
        picture = self.front(self.pixels(grid))
        maps = [picture]
        for stage in self.stages_:
            picture = stage(picture)
            maps.append(picture)
        mean = torch.mean(picture, dim=(2, 3))
        return Features(self.out(mean).unflatten(1, (self.tokens, -1)), None, tuple(maps))


def build(options: Options, parts: Sequence[Part], width: int) -> nn.Module:
    """Return the module from a grid of bytes to tokens of ``width``."""
    return ResNet(options, parts[0], width).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
