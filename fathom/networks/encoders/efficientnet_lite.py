"""Pictures to tokens by a convolutional network that has seen a million photographs before: EfficientNet-Lite0.

Why it exists: edges, textures and parts of things are the same in most photographs, so few pictures are enough for what comes behind. A block widens its maps, lets every map be filtered by itself, and narrows them again, which
costs a tenth of a full convolution; *Lite* leaves out what is slow on small processors. Sources: Tan and Le, "EfficientNet", ICML 2019, table 1 (https://arxiv.org/abs/1905.11946); the blocks: Sandler et al., "MobileNetV2", CVPR
2018, section 3 (https://arxiv.org/abs/1801.04381). Weights are called as in timm's ``tf_efficientnet_lite0`` (Apache-2.0).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from fathom.networks.encoders.pretrained import PretrainedReader
from fathom.shapes import Part, Shape

NAME = "efficientnet_lite"
READS: Shape = "grid"
SUMMARY = "a convolutional network that has seen a million photographs before (--pretrained)"
SOURCE = "https://arxiv.org/abs/1905.11946"

EPSILON, MOMENTUM = 1e-3, 0.01
CENTRE, SPREAD = 127.0, 128.0  # of a pixel, as the weights were taught
STEM, HEAD = 32, 1_280
# Of each stage: how many times wider a block is inside, the side of its filter, its stride, the maps it makes, its blocks.
STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
# What timm calls the layers, and what we do.
OWN_NAME = re.compile(r"(blocks\.\d+\.\d+\.)?([^.]*)(.*)")
OUTSIDE = {"conv_stem": "stem.filter", "bn1": "stem.norm", "conv_head": "head.filter", "bn2": "head.norm"}
FIRST_BLOCK = {"conv_dw": "each.filter", "bn1": "each.norm", "conv_pw": "narrow.filter", "bn2": "narrow.norm"}
LATER_BLOCKS = {
    "conv_pw": "widen.filter",
    "bn1": "widen.norm",
    "conv_dw": "each.filter",
    "bn2": "each.norm",
    "conv_pwl": "narrow.filter",
    "bn3": "narrow.norm",
}


@dataclass(frozen=True)
class Options:
    """Pictures are made ``side`` pixels high at least before they are read; what is learned behind the body has ``tokens`` tokens, with ``dropout`` before them."""

    side: int = 32
    tokens: int = 8
    dropout: float = 0.3


class Convolution(nn.Module):
    """A convolution that keeps the size but for its stride, a normalisation, and, where asked for, a bend that ends at 6."""

    def __init__(self, before: int, after: int, side: int, stride: int = 1, groups: int = 1, bend: bool = True) -> None:
        super().__init__()
        self.side, self.stride, self.bend = side, stride, bend
        self.filter = nn.Conv2d(before, after, side, stride, groups=groups, bias=False)
        nn.init.kaiming_normal_(self.filter.weight, nonlinearity="relu" if bend else "linear")
        self.norm = nn.BatchNorm2d(after, EPSILON, MOMENTUM)

    def forward(self, maps: Tensor) -> Tensor:
        """Map ``(row, before, height, width)`` to ``(row, after, height / stride, width / stride)``; what is missing at the edges is zero, more of it at the end."""
        missing = [max((-(-size // self.stride) - 1) * self.stride + self.side - size, 0) for size in maps.shape[2:]]
        (top, left) = (each // 2 for each in missing)
        maps = functional.pad(maps, (left, missing[1] - left, top, missing[0] - top))
        maps = self.norm(self.filter(maps))
        return functional.relu6(maps) if self.bend else maps


class Block(nn.Module):
    """Widened, filtered map by map, narrowed; added to what came in where that has the same size."""

    def __init__(self, before: int, after: int, wider: int, side: int, stride: int) -> None:
        super().__init__()
        inside = before * wider
        self.widen = Convolution(before, inside, 1) if wider > 1 else None
        self.each = Convolution(inside, inside, side, stride, groups=inside)
        self.narrow = Convolution(inside, after, 1, bend=False)
        self.added = stride == 1 and before == after

    def forward(self, maps: Tensor) -> Tensor:
        """Map ``(row, before, height, width)`` to ``(row, after, …)``."""
        wide = maps if self.widen is None else self.widen(maps)
        narrow: Tensor = self.narrow(self.each(wide))
        return maps + narrow if self.added else narrow


class EfficientNetLite(nn.Module):
    """Maps ``grid (row, channel, height, width)`` of pixels 1 to 255, 0 where nothing is, to ``(row, 1280)``."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.width, self.side = HEAD, side
        self.stem = Convolution(3, STEM, 3, 2)
        widths = [STEM, *(after for *_, after, _ in STAGES)]
        self.parts = nn.ModuleList(
            nn.Sequential(
                *(
                    Block(after if number else before, after, wider, filter_side, 1 if number else stride)
                    for number in range(count)
                )
            )
            for (before, after), (wider, filter_side, stride, _, count) in zip(pairwise(widths), STAGES, strict=True)
        )
        self.head = Convolution(widths[-1], HEAD, 1)

    @property
    def stages(self) -> Mapping[str, nn.Module]:
        """The first filters, every stage, and the head."""
        return {"stem": self.stem, **{f"stage {n}": part for n, part in enumerate(self.parts, 1)}, "head": self.head}

    def forward(self, grid: Tensor) -> Tensor:
        """Map ``(row, channel, height, width)`` to ``(row, 1280)``."""
        pixels = torch.where(grid > 0, (grid.float() - CENTRE) / SPREAD, 0.0)
        if pixels.shape[1] == 1:
            pixels = pixels.expand(-1, 3, -1, -1)
        height, width = pixels.shape[2:]
        if min(height, width) < self.side:
            times = self.side / min(height, width)
            size = (round(height * times), round(width * times))
            pixels = functional.interpolate(pixels, size, mode="bilinear", align_corners=False)
        maps = self.stem(pixels.contiguous(memory_format=torch.channels_last))
        for part in self.parts:
            maps = part(maps)
        gathered: Tensor = self.head(maps).mean((2, 3))
        return gathered

    def numbers_of(self, row: Sequence[int]) -> int:
        """Return how many numbers a row of this size ``(channel, height, width)`` is once it is as large as it is read."""
        times = max(1.0, self.side / min(row[1:]))
        return 3 * round(row[1] * times) * round(row[2] * times)

    def renamed(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return timm's weights under our names, without its classifier."""
        found = {}
        for name, tensor in tensors.items():
            block, layer, weight = OWN_NAME.findall(name)[0]
            names = OUTSIDE if not block else FIRST_BLOCK if block.startswith("blocks.0.") else LATER_BLOCKS
            if layer in names:
                found[f"{block.replace('blocks', 'parts')}{names[layer]}{weight}"] = tensor
        return found


def build(options: Options, parts: Sequence[Part], width: int) -> nn.Module:
    """Return the module from ``(row, channel, height, width)`` pixels to tokens of ``width``."""
    return PretrainedReader(EfficientNetLite(options.side), options.tokens, width, options.dropout)
