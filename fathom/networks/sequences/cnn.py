"""Convolutions of several widths side by side: each filter looks for a short phrase, wherever it stands.

Why it exists: a few words in a row often decide what a text is about, and a filter finds them at any place in one pass. Source: Kim, "Convolutional Neural Networks for Sentence
Classification", EMNLP 2014, section 2 (https://arxiv.org/abs/1408.5882).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

NAME = "cnn"
SUMMARY = "filters that look for short phrases"
SOURCE = "https://arxiv.org/abs/1408.5882"


@dataclass(frozen=True)
class Options:
    """``filters`` of each width in ``kernels`` over steps of ``width``; the answer is ``tokens`` tokens."""

    width: int = 64
    filters: int = 64
    kernels: tuple[int, ...] = (1, 3, 5)
    tokens: int = 8
    dropout: float = 0.3


class Filters(nn.Module):
    """Filters of one width, centred on each step."""

    def __init__(self, width: int, filters: int, kernel: int) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(width, filters, kernel, padding="same")

    def forward(self, steps: Tensor) -> Tensor:
        """Map ``(row, width, step)`` to ``(row, filter, step)``, 0 where the phrase is not found."""
        return torch.relu(self.convolution(steps))


class Convolutions(nn.Module):
    """The filters of all widths, side by side."""

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.width = options.filters * len(options.kernels)
        self.filters = nn.ModuleList(Filters(options.width, options.filters, kernel) for kernel in options.kernels)
        self.kernels = options.kernels

    @property
    def stages(self) -> Mapping[str, nn.Module]:
        """The filters of each width."""
        return {f"phrases of {kernel}": each for kernel, each in zip(self.kernels, self.filters, strict=True)}

    def forward(self, steps: Tensor, known: Tensor) -> Tensor:
        """Map ``(row, step, width)`` to ``(row, step, filter)``; what is beyond a row's end is zero to every filter."""
        there = (steps * known.unsqueeze(-1)).transpose(1, 2)
        return torch.cat([each(there) for each in self.filters], 1).transpose(1, 2)


def build(options: Options) -> nn.Module:
    """Return the module from ``(row, step, width)`` to ``(row, step, filter)``."""
    return Convolutions(options)
