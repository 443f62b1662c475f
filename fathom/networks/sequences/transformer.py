"""A Transformer encoder: every step looks at every other step, layer by layer.

Why it exists: what a step means may hang on any other, however far; attention reaches it in one layer, where a recurrent network must carry it there. Source: Vaswani et
al., "Attention Is All You Need", NeurIPS 2017 (https://arxiv.org/abs/1706.03762): section 3.5 for the waves that tell a step's place.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fathom.networks.attention import Block

NAME = "transformer"
SUMMARY = "attention between the steps"
SOURCE = "https://arxiv.org/abs/1706.03762"

SLOWEST = 10_000.0  # of the waves, in steps over 2 pi


@dataclass(frozen=True)
class Options:
    """``layers`` blocks of ``heads`` attention heads over steps of ``width``, a multiple of ``2 heads``, with ``between`` times as many units inside; the answer is ``tokens`` tokens."""

    width: int = 64
    layers: int = 2
    heads: int = 4
    tokens: int = 8
    dropout: float = 0.2
    between: float = 2.0


def waves(steps: int, width: int, device: torch.device | None = None) -> Tensor:
    """Return ``(step, width)``: for each step the sines and cosines of waves from fast to slow, by which it knows its place.

    >>> waves(2, 4)[0].tolist()
    [0.0, 0.0, 1.0, 1.0]
    """
    places = torch.arange(steps, device=device, dtype=torch.float32)
    speeds = SLOWEST ** (-torch.arange(width // 2, device=device, dtype=torch.float32) / (width // 2))
    angles = places.unsqueeze(1) * speeds
    return torch.cat([angles.sin(), angles.cos()], 1)


class Transformer(nn.Module):
    """Steps that know their places, then blocks of attention."""

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.width = options.width
        self.places = nn.Parameter(torch.tensor(0.1))  # how loud the waves are beside what is read
        self.blocks = nn.ModuleList(
            Block(options.width, options.heads, options.dropout, options.between) for _ in range(options.layers)
        )
        self.norm = nn.LayerNorm(options.width)

    @property
    def stages(self) -> Mapping[str, nn.Module]:
        """The blocks, and the last norm."""
        return {**{f"block {number}": block for number, block in enumerate(self.blocks, 1)}, "norm": self.norm}

    def forward(self, steps: Tensor, known: Tensor) -> Tensor:
        """Map ``(row, step, width)`` to the same shape; no step looks at padding."""
        steps = steps + self.places * waves(steps.shape[1], self.width, steps.device)
        visible = known | (
            torch.arange(steps.shape[1], device=steps.device) == 0
        )  # of no step at all, attention is not a number
        for block in self.blocks:
            steps = block(steps, visible)
        normal: Tensor = self.norm(steps)
        return normal


def build(options: Options) -> nn.Module:
    """Return the module from ``(row, step, width)`` to the same shape."""
    return Transformer(options)
