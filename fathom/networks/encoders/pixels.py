"""Bytes of a grid become numbers around 0, on the device: the first thing that every network does that reads a grid."""

import torch
from torch import Tensor, nn

from fathom.shapes import Part


class Pixels(nn.Module):
    """Maps ``grid (row, channel, height, width)`` of bytes to floats with mean 0 and spread 1 a channel over the training rows; 0 where no picture is."""

    centre: Tensor
    spread: Tensor

    def __init__(self, part: Part) -> None:
        super().__init__()
        channels = part.size[0]
        centre, spread = part.centre or (128.0,) * channels, part.spread or (64.0,) * channels
        self.register_buffer("centre", torch.tensor(centre).view(-1, 1, 1), persistent=False)
        self.register_buffer("spread", torch.tensor(spread).clamp(min=1.0).view(-1, 1, 1), persistent=False)

    def forward(self, grid: Tensor) -> Tensor:
        """Map bytes to floats of the same shape, laid out channels last, which convolutions are quicker on."""
        floats = torch.where(grid > 0, (grid.to(self.centre.dtype) - self.centre) / self.spread, 0.0)
        return floats.contiguous(memory_format=torch.channels_last)
